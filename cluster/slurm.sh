#!/bin/bash
# sbatch cluster/slurm.sh: a Ray cluster on the nodes of this allocation, and the job on it.
# The driver and Ray's head share the first node with a worker's share of the work.
#SBATCH --job-name=spadepis
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --gpus-per-node=1
#SBATCH --mem=120G
#SBATCH --time=24:00:00
#SBATCH --requeue
set -euo pipefail

# An environment with spadepis on a file system that every node sees.
source "${SPADEPIS_ENVIRONMENT:?path of a virtual environment with spadepis}/bin/activate"
export RAY_USAGE_STATS_ENABLED=0

port=$((20000 + SLURM_JOB_ID % 10000))
nodes=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=$(head -n 1 <<< "$nodes")
head_address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | cut -d ' ' -f 1)

srun --nodes=1 --ntasks=1 --nodelist="$head" \
    ray start --head --node-ip-address="$head_address" --port="$port" \
    --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="${SLURM_GPUS_ON_NODE:-0}" \
    --object-store-memory=8000000000 --include-dashboard=false --block &
until ray status --address="$head_address:$port" > /dev/null 2>&1; do sleep 2; done
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
    srun --nodes=$((SLURM_JOB_NUM_NODES - 1)) --ntasks=$((SLURM_JOB_NUM_NODES - 1)) \
        --exclude="$head" \
        ray start --address="$head_address:$port" \
        --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="${SLURM_GPUS_ON_NODE:-0}" \
        --object-store-memory=8000000000 --block &
fi

# Nodes may still be joining.
cpus=$((SLURM_JOB_NUM_NODES * SLURM_CPUS_PER_TASK))
gpus=$((SLURM_JOB_NUM_NODES * ${SLURM_GPUS_ON_NODE:-0}))
export RAY_ADDRESS="$head_address:$port"
spadepis run synthesize_and_stylize --config jobs/presets/coco_stuff_train2017.yaml \
    --output out/coco_stuff_train2017 \
    --cluster-cpus "$cpus" --cluster-gpus "$gpus"
