#!/bin/bash
#$ -S /bin/bash
#$ -N wb-0a1b2c3d4e
#$ -o /scratch/run/jobs/block-0.out
#$ -e /scratch/run/jobs/block-0.err
#$ -pe smp 2
#$ -l h_vmem=1908M
#$ -l h_rt=05:00:00
#$ -r n

export WORKFLOW_BACKENDS_BLOCK_END=$(($(date +%s) + 18000))
set -e
export WORKFLOW_BACKENDS_RUN=42:/scratch/run
export SPACED='a b'
cd '/scratch/my work'
exec '/opt/conda/bin/python' -P -m workflow_backends.parsl_engine.pool --max_workers_per_node=1
