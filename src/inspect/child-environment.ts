/**
 * Environment of a process that reads untrusted files. It has what programs, numerical libraries
 * and this program's own settings require, and no secret of whoever started the server.
 */

/** Variables that are passed on; `*` stands for the rest of a name. */
const passed = [
  // Programs and users.
  ...['PATH', 'HOME', 'USER', 'LOGNAME', 'HOSTNAME', 'TMPDIR', 'TZ', 'LANG', 'LANGUAGE', 'LC_*'],
  ...['XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_STATE_HOME', 'NO_COLOR'],
  // The loader, memory and Node.js.
  ...['LD_*', 'GLIBC_TUNABLES', 'MALLOC_*', 'ASAN_*', 'LSAN_*', 'UBSAN_*', 'TSAN_*', 'UV_*'],
  ...['NODE_OPTIONS', 'NODE_PATH', 'NODE_DEBUG', 'NODE_V8_COVERAGE', 'NODE_NO_WARNINGS'],
  ...['NODE_COMPILE_CACHE', 'NODE_DISABLE_COMPILE_CACHE'],
  // Numerical libraries and GPUs.
  ...['OMP_*', 'GOMP_*', 'KMP_*', 'MKL_*', 'OPENBLAS_*', 'BLIS_*', 'ONEDNN_*', 'DNNL_*'],
  ...['CUDA_*', 'CUBLAS_*', 'CUBLASLT_*', 'CUDNN_*', 'NCCL_*', 'NVIDIA_*', 'NVRTC_*'],
  ...['TORCH_*', 'PYTORCH_*', 'ATEN_*', 'LIBTORCH*'],
  // The Hugging Face cache, which is only read.
  ...['HF_HOME', 'HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE'],
  'SAE_EVAL_*',
];

/** Names that tell of a secret, whatever they begin with. */
const secret = /KEY|TOKEN|SECRET|PASSW|CREDENTIAL|SAE_EVAL_QUEUE|SAE_EVAL_CONFIG/i;

/** Variable with further names that are passed on, separated by commas. */
const furtherVariable = 'SAE_EVAL_PASS_ENV';

const matching = (pattern: string, name: string): boolean =>
  pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;

export interface ChildEnvironmentOptions {
  /** Further names. */
  also?: readonly string[];
  env?: NodeJS.ProcessEnv;
}

/** Variables of this process that a child gets. */
export function childEnvironment({
  also = [],
  env = process.env,
}: ChildEnvironmentOptions = {}): NodeJS.ProcessEnv {
  const named = (env[furtherVariable] ?? '').split(',').map((name) => name.trim());
  const wanted = [...named.filter((name) => name !== '' && name !== '*'), ...also];
  return Object.fromEntries(
    Object.entries(env).filter(
      ([name]) =>
        wanted.some((pattern) => matching(pattern, name)) ||
        (!secret.test(name) && passed.some((pattern) => matching(pattern, name))),
    ),
  );
}
