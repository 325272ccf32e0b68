/** Finds the toolchain for the addon: cmake, make and a C++20 compiler. */
import { SaeEvalError } from '../../errors.js';
import { findProgram, runProgram } from './program.js';

export interface Toolchain {
  cmake: string;
  make: string;
  compiler: string;
  /** First line of the compiler's `--version`; part of the build's identity. */
  compilerVersion: string;
}

const minimumCmake = [3, 18] as const;

/** Path of the compiler: `CXX`, else `c++`, `g++` or `clang++` on the PATH; null if none exists. */
export function findCompiler(): string | null {
  const named = process.env['CXX'];
  return named !== undefined && named !== ''
    ? findProgram(named)
    : findProgram('c++', 'g++', 'clang++');
}

export async function compilerVersion(compiler: string): Promise<string> {
  const { stdout } = await runProgram(compiler, ['--version']);
  return stdout.split('\n')[0]?.trim() ?? '';
}

/** @throws SaeEvalError `setup-missing`, with the names of all missing programs. */
export async function findToolchain(): Promise<Toolchain> {
  const cmake = findProgram('cmake');
  const make = findProgram('make', 'gmake');
  const compiler = findCompiler();
  const missing = [
    cmake === null && 'cmake',
    make === null && 'make',
    compiler === null && 'g++',
  ].filter((name) => name !== false);
  if (cmake === null || make === null || compiler === null) {
    throw new SaeEvalError(
      'setup-missing',
      `The native addon cannot be built because ${listed(missing)} ` +
        `${missing.length > 1 ? 'are' : 'is'} not installed: install ` +
        `${missing.length > 1 ? 'them' : 'it'}, on Debian and Ubuntu with \`apt-get install ` +
        `${missing.join(' ')}\`.`,
    );
  }
  const found = /(\d+)\.(\d+)/.exec((await runProgram(cmake, ['--version'])).stdout);
  const [major, minor] = [Number(found?.[1]), Number(found?.[2])];
  if (!(major > minimumCmake[0] || (major === minimumCmake[0] && minor >= minimumCmake[1]))) {
    throw new SaeEvalError(
      'setup-missing',
      `The native addon needs cmake ${minimumCmake.join('.')} or later, but ${cmake} is ` +
        `${found?.[0] ?? 'of an unknown version'}: install a newer cmake.`,
    );
  }
  return { cmake, make, compiler, compilerVersion: await compilerVersion(compiler) };
}

function listed(names: readonly string[]): string {
  return names.length < 2
    ? names.join('')
    : `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
}
