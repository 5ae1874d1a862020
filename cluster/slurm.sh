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
#SBATCH --open-mode=append
set -euo pipefail

# An environment with spadepis on a file system that every node sees.
source "${SPADEPIS_ENVIRONMENT:?path of a virtual environment with spadepis}/bin/activate"
# On SIGTERM Ray would wait for services to move to other nodes; there are none.
export RAY_USAGE_STATS_ENABLED=0 RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S=0
# Without a token, all users of the network could run code on this cluster.
RAY_AUTH_TOKEN=$(python -c 'import secrets; print(secrets.token_hex())')
export RAY_AUTH_TOKEN RAY_AUTH_MODE=token
# Since Slurm 22.05, srun does not ask for the CPUs of the allocation by itself.
export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK

port=$((20000 + SLURM_JOB_ID % 10000))
# This script runs on the first node. Its name may stand for an address of the loopback.
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
head_address=$(python -c 'from ray.util import get_node_ip_address as get; print(get())')
export RAY_ADDRESS="$head_address:$port"

ray start --head --node-ip-address="$head_address" --port="$port" \
    --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="${SLURM_GPUS_ON_NODE:-0}" \
    --object-store-memory=8000000000 --include-dashboard=false --block &
ray_head=$!
trap 'kill "$ray_head" 2> /dev/null && wait "$ray_head" || true' EXIT
# Slurm sends SIGTERM to all processes of a job that is to end: this one waits for the driver.
trap : TERM
until ray status > /dev/null 2>&1; do
    if ! kill -0 "$ray_head" 2> /dev/null; then
        echo "error: Ray's head did not start on $head; the lines above say why" >&2
        exit 1
    fi
    sleep 2
done
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
    srun --nodes=$((SLURM_JOB_NUM_NODES - 1)) --ntasks=$((SLURM_JOB_NUM_NODES - 1)) \
        --exclude="$head" \
        ray start --address="$RAY_ADDRESS" \
        --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="${SLURM_GPUS_ON_NODE:-0}" \
        --object-store-memory=8000000000 --block &
fi

# Nodes may still be joining.
cpus=$((SLURM_JOB_NUM_NODES * SLURM_CPUS_PER_TASK))
gpus=$((SLURM_JOB_NUM_NODES * ${SLURM_GPUS_ON_NODE:-0}))
spadepis run synthesize_and_stylize --config jobs/presets/coco_stuff_train2017.yaml \
    --output out/coco_stuff_train2017 \
    --cluster-cpus "$cpus" --cluster-gpus "$gpus"
