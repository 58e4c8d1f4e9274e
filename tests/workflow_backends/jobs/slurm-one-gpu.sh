#!/bin/bash
#SBATCH --job-name=wb-0a1b2c3d4e
#SBATCH --output=/scratch/run/jobs/block-0.out
#SBATCH --error=/scratch/run/jobs/block-0.err
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=7630M
#SBATCH --time=05:00:00
#SBATCH --no-requeue
#SBATCH --partition=gpu
#SBATCH --account=chem-12
#SBATCH --gres=gpu:a100:1

export WORKFLOW_BACKENDS_BLOCK_END=$(($(date +%s) + 18000))
set -e
export WORKFLOW_BACKENDS_RUN=42:/scratch/run
export SPACED='a b'
cd '/scratch/my work'
exec '/opt/conda/bin/python' -P -m workflow_backends.parsl_engine.pool --max_workers_per_node=1
