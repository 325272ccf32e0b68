/** The kernels that a GPU's process compiles at first use, compiled here for GPUs of four kinds. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { outputOf } from './compiled.mjs';

const program = fileURLToPath(new URL('compile-logit-parts.cc', import.meta.url));
const kernels = fileURLToPath(new URL('../../native/src/kernels/logit_parts.h', import.meta.url));

/** Turing (T4), Ampere (A100), Hopper (H100, H200), Blackwell (B200). */
const architectures = ['sm_75', 'sm_80', 'sm_90', 'sm_100'];

/**
 * A library in place of the CUDA driver, which this machine may not have: the functions that
 * libcaffe2_nvrtc.so needs, none of which is called.
 */
function driverInPlace(library, { compiler, work }) {
  const names = outputOf('nm', ['-D', '--undefined-only', library]).match(/\bcu[A-Z]\w*/g);
  const source = join(work, 'driver.c');
  const driver = join(work, 'libcuda.so.1');
  writeFileSync(source, names.map((name) => `int ${name}(void) { return 1; }\n`).join(''));
  outputOf(compiler, [
    ...['-x', 'c', '-shared', '-fPIC', '-Wl,-soname,libcuda.so.1', '-o', driver, source],
  ]);
  return driver;
}

/** A line for each kind of GPU. @throws Error if one was not compiled for. */
export function compileLogitParts({ libtorch, compiler, work }) {
  const library = join(libtorch.folder, 'lib', 'libcaffe2_nvrtc.so');
  const driver = driverInPlace(library, { compiler, work });
  const compiled = join(work, 'compile-logit-parts');
  outputOf(compiler, ['-std=c++20', '-o', compiled, program, '-ldl']);
  return outputOf(compiled, [driver, library, kernels, ...architectures])
    .trim()
    .split('\n');
}
