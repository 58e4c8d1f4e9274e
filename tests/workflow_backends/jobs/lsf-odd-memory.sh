#!/bin/bash
#BSUB -J wb-0a1b2c3d4e
#BSUB -o /scratch/run/jobs/block-0.out
#BSUB -e /scratch/run/jobs/block-0.err
#BSUB -n 3
#BSUB -R "span[hosts=1]"
#BSUB -R "rusage[mem=4293MB]"
#BSUB -M 4293MB
#BSUB -W 05:00
#BSUB -rn

export WORKFLOW_BACKENDS_BLOCK_END=$(($(date +%s) + 18000))
set -e
export WORKFLOW_BACKENDS_RUN=42:/scratch/run
export SPACED='a b'
cd '/scratch/my work'
exec '/opt/conda/bin/python' -P -m workflow_backends.parsl_engine.pool --max_workers_per_node=1
