#!/bin/bash
#SBATCH --job-name=wb-0a1b2c3d4e
#SBATCH --output=/scratch/run/jobs/block-0.out
#SBATCH --error=/scratch/run/jobs/block-0.err
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=1
#SBATCH --mem=1908M
#SBATCH --time=48:01:00
#SBATCH --no-requeue

export WORKFLOW_BACKENDS_BLOCK_END=$(($(date +%s) + 172821))
set -e
export WORKFLOW_BACKENDS_RUN=42:/scratch/run
export SPACED='a b'
cd '/scratch/my work'
exec '/opt/conda/bin/python' -P -m workflow_backends.parsl_engine.pool --max_workers_per_node=1
