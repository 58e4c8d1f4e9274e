#!/bin/bash
#SBATCH --job-name=wb-RUN
#SBATCH --output=/scratch/run/workflow-backends-RUN/job-0.out
#SBATCH --error=/scratch/run/workflow-backends-RUN/job-0.err
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=11448M
#SBATCH --time=05:00:00
#SBATCH --no-requeue
#SBATCH --partition=gpu
#SBATCH --account=chem-12
#SBATCH --gres=gpu:a100:4
#SBATCH --exclusive
#SBATCH --comment=water

export WORKFLOW_BACKENDS_BLOCK_END=$(($(date +%s) + 18000))
set -e
export WORKFLOW_BACKENDS_RUN=42:/scratch/run/workflow-backends-RUN
cd /scratch/work
module load cuda/12.4
exec '/opt/conda/bin/python' -P -m workflow_backends.child distributed.cli.dask_worker ...
