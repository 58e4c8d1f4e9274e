#!/bin/bash
#BSUB -J wb-0a1b2c3d4e
#BSUB -o /scratch/run/jobs/block-0.out
#BSUB -e /scratch/run/jobs/block-0.err
#BSUB -n 8
#BSUB -R "span[hosts=1]"
#BSUB -R "rusage[mem=15259MB]"
#BSUB -M 15259MB
#BSUB -W 05:00
#BSUB -rn
#BSUB -gpu "num=4:j_exclusive=yes"
#BSUB --comment=water

export WORKFLOW_BACKENDS_BLOCK_END=$(($(date +%s) + 18000))
set -e
export WORKFLOW_BACKENDS_RUN=42:/scratch/run
export SPACED='a b'
cd '/scratch/my work'
module load cuda/12.4
source '/opt/conda/bin/activate' openmm
exec '/opt/conda/bin/python' -P -m workflow_backends.parsl_engine.pool --max_workers_per_node=4
