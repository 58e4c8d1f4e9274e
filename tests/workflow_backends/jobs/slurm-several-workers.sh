#!/bin/bash
#SBATCH --job-name=wb-0a1b2c3d4e
#SBATCH --output=/scratch/run/jobs/block-0.out
#SBATCH --error=/scratch/run/jobs/block-0.err
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=15259M
#SBATCH --time=05:00:00
#SBATCH --no-requeue
#SBATCH --gres=gpu:4
#SBATCH --comment=water

export WORKFLOW_BACKENDS_BLOCK_END=$(($(date +%s) + 18000))
set -e
export WORKFLOW_BACKENDS_RUN=42:/scratch/run
export SPACED='a b'
cd '/scratch/my work'
module load cuda/12.4
source '/opt/conda/bin/activate' openmm
exec '/opt/conda/bin/python' -P -m workflow_backends.parsl_engine.pool --max_workers_per_node=4
