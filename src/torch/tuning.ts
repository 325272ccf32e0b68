/**
 * How processes that compute are tuned to the machine: every setting of the environment, the engine
 * and the kernel, with the reason for it. What the user has set in the environment wins.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

/**
 * Bytes of freed CPU memory that an evaluation keeps for its next tensors: its loop makes the same
 * temporaries again and again, and each fresh page costs a fault. Measured on AMD EPYC with AVX2
 * (bench.mjs, sections `shipped` and `peak`).
 */
export const memoryCacheBytes = 512 * 2 ** 20;

/** Sets what libraries read from the environment once, as they are loaded or first used. */
export function tuneLibraries(): void {
  const { env } = process;
  // Threads of libgomp spin while they wait for each other, by default for so long that two
  // processes on the same cores run several times slower than one after the other.
  if (env['OMP_WAIT_POLICY'] === undefined) env['GOMP_SPINCOUNT'] ??= '2000';
  // libtorch asks for huge pages: page faults take a twelfth of the time that blocks of a
  // billion-parameter model take (bench.mjs, section `large`, on AMD EPYC with AVX2).
  env['THP_MEM_ALLOC_ENABLE'] ??= '1';
  // Texts of many lengths make blocks of many sizes. PyTorch's notes on CUDA advise segments that
  // grow where sizes vary.
  if (env['PYTORCH_CUDA_ALLOC_CONF'] === undefined)
    env['PYTORCH_ALLOC_CONF'] ??= 'expandable_segments:True';
}

/** Environment of the compute process, below what the user has set. */
export const computeEnvironment = {
  // The server's threads share the cores: waiting threads sleep at once instead of spinning.
  OMP_WAIT_POLICY: 'PASSIVE',
} as const;

/** Node's flags for the compute process. */
export const computeFlags = [
  // Garbage is collected between evaluations, when there is time.
  '--expose-gc',
  // Numbers lie in native memory: a young generation of 2 MiB keeps the heap from growing with the
  // first jobs.
  '--max-semi-space-size=2',
] as const;

/**
 * Lowers the priority of this process by `niceness`, so that a server on the same cores answers.
 * To be called before libtorch starts its threads: they inherit the priority.
 */
export function standBack(niceness: number): void {
  try {
    if (niceness > 0) setPriority(Math.min(19, getPriority() + niceness));
  } catch {
    // Some systems do not allow it; the evaluation runs all the same.
  }
}

/**
 * Asks the kernel to end this process first if memory runs out: the server can start it again, and
 * nobody can start the server.
 */
export function goFirst(): void {
  const file = '/proc/self/oom_score_adj';
  try {
    writeFileSync(file, String(Math.max(500, Number(readFileSync(file, 'utf8')))));
  } catch {
    // Not on this system.
  }
}
