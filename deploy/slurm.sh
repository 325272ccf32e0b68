#!/bin/bash
# A Slurm array that evaluates one request, and a job after it that merges and writes the report:
#   deploy/slurm.sh request.json runs/name
# Every task takes its share of the shards. What is done stays done: submit again after a failure.
# Options of `sae-eval shard` may follow.
# Change: partition, GPUs, time, number of tasks; SAE_EVAL, if npx does not find sae-eval.
#SBATCH --job-name=sae-eval
#SBATCH --array=0-15
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=8
#SBATCH --mem=64G
#SBATCH --time=04:00:00
#SBATCH --signal=B:TERM@60
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%A_%a.log
set -u
sae_eval=(${SAE_EVAL:-npx sae-eval})
request=${1:?usage: slurm.sh request.json runs/name}
out=${2:?usage: slurm.sh request.json runs/name}

if [[ -z ${SLURM_JOB_ID:-} ]]; then
  array=$(sbatch --parsable "$0" "$@") || exit
  echo "array $array"
  exec sbatch --job-name=sae-eval-merge --dependency="afterok:$array" --kill-on-invalid-dep=yes \
    --output=sae-eval-merge-%j.log --wrap="${sae_eval[*]} merge '$out'"
fi

"${sae_eval[@]}" shard "$request" --out "$out" "${@:3}" &
# A minute before the time limit Slurm sends SIGTERM: what is computed is written, the exit is 75.
trap 'kill -TERM $!' TERM
wait $!
code=$?
while kill -0 $! 2>/dev/null; do
  wait $!
  code=$?
done
# 75: elsewhere or later, so back into the queue. Another code ends the task.
if [[ $code == 75 && ${SLURM_RESTART_COUNT:-0} -lt 20 ]]; then
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
fi
exit $code
