#!/bin/bash
#BSUB -J wb-RUN
#BSUB -o /scratch/run/workflow-backends-RUN/job-0.out
#BSUB -e /scratch/run/workflow-backends-RUN/job-0.err
#BSUB -n 8
#BSUB -R "span[hosts=1]"
#BSUB -R "rusage[mem=11448MB]"
#BSUB -M 11448MB
#BSUB -W 05:00
#BSUB -rn
#BSUB -q gpu
#BSUB -P chem-12
#BSUB -gpu "num=4:gmodel=a100:j_exclusive=yes"
#BSUB -x
#BSUB --comment=water

export WORKFLOW_BACKENDS_BLOCK_END=$(($(date +%s) + 18000))
set -e
export WORKFLOW_BACKENDS_RUN=42:/scratch/run/workflow-backends-RUN
cd /scratch/work
module load cuda/12.4
exec '/opt/conda/bin/python' -P -m workflow_backends.child distributed.cli.dask_worker ...
