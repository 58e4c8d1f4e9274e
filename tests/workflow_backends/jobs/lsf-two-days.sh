#!/bin/bash
#BSUB -J wb-0a1b2c3d4e
#BSUB -o /scratch/run/jobs/block-0.out
#BSUB -e /scratch/run/jobs/block-0.err
#BSUB -n 1
#BSUB -R "span[hosts=1]"
#BSUB -R "rusage[mem=1908MB]"
#BSUB -M 1908MB
#BSUB -W 48:01
#BSUB -rn

export WORKFLOW_BACKENDS_BLOCK_END=$(($(date +%s) + 172821))
set -e
export WORKFLOW_BACKENDS_RUN=42:/scratch/run
export SPACED='a b'
cd '/scratch/my work'
exec '/opt/conda/bin/python' -P -m workflow_backends.parsl_engine.pool --max_workers_per_node=1
