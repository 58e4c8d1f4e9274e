#!/bin/bash
#PBS -S /bin/bash
#PBS -N wb-0a1b2c3d4e
#PBS -o /scratch/run/jobs/block-0.out
#PBS -e /scratch/run/jobs/block-0.err
#PBS -l select=1:ncpus=3:mem=4293mb
#PBS -l walltime=05:00:00
#PBS -r n

export WORKFLOW_BACKENDS_BLOCK_END=$(($(date +%s) + 18000))
set -e
export WORKFLOW_BACKENDS_RUN=42:/scratch/run
export SPACED='a b'
cd '/scratch/my work'
exec '/opt/conda/bin/python' -P -m workflow_backends.parsl_engine.pool --max_workers_per_node=1
