#!/bin/bash
#PBS -S /bin/bash
#PBS -N wb-RUN
#PBS -o /scratch/run/workflow-backends-RUN/job-0.out
#PBS -e /scratch/run/workflow-backends-RUN/job-0.err
#PBS -l select=1:ncpus=8:mem=11448mb:ngpus=4:gpu_type=a100
#PBS -l walltime=05:00:00
#PBS -r n
#PBS -q gpu
#PBS -A chem-12
#PBS -l place=excl
#PBS --comment=water

export WORKFLOW_BACKENDS_BLOCK_END=$(($(date +%s) + 18000))
set -e
export WORKFLOW_BACKENDS_RUN=42:/scratch/run/workflow-backends-RUN
cd /scratch/work
module load cuda/12.4
exec '/opt/conda/bin/python' -P -m workflow_backends.child distributed.cli.dask_worker ...
