/**
 * A package of its own for set-up to work on: the built set-up code, a native part that compiles in
 * a second, and tiny libraries in libtorch's place. Everything else is real: cmake, the compiler,
 * pip, the files.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../../..');

export interface SetupRun {
  code: number | null;
  stderr: string;
}

export class PackageCopy {
  readonly folder = mkdtempSync(join(tmpdir(), 'sae-eval-setup-'));
  readonly package = join(this.folder, 'package');
  readonly cache = join(this.folder, 'cache');
  readonly addon = join(this.package, 'build', 'addon', 'sae_eval.node');

  constructor() {
    mkdirSync(join(this.package, 'dist/src/torch'), { recursive: true });
    cpSync(join(root, 'dist/src/torch/setup'), join(this.package, 'dist/src/torch/setup'), {
      recursive: true,
    });
    cpSync(join(root, 'dist', 'src', 'errors.js'), join(this.package, 'dist', 'src', 'errors.js'));
    cpSync(join(root, 'package.json'), join(this.package, 'package.json'));
    symlinkSync(join(root, 'node_modules'), join(this.package, 'node_modules'));
    mkdirSync(join(this.package, 'native', 'src'), { recursive: true });
    writeFileSync(
      join(this.package, 'native', 'CMakeLists.txt'),
      `cmake_minimum_required(VERSION 3.18)
project(sae_eval LANGUAGES CXX)
add_library(sae_eval MODULE src/addon.cc)
set_target_properties(sae_eval PROPERTIES PREFIX "" SUFFIX ".node"
  LIBRARY_OUTPUT_DIRECTORY "\${CMAKE_BINARY_DIR}" BUILD_RPATH "\${LIBTORCH}/lib")
target_include_directories(sae_eval PRIVATE "\${NODE_API_HEADERS}" "\${NODE_ADDON_API}")
target_link_libraries(sae_eval PRIVATE
  -Wl,--no-as-needed -Wl,--allow-shlib-undefined "\${LIBTORCH}/lib/libtorch.so")
`,
    );
    this.writeSource(1);
    // A module of that name hides a torch that the machine's Python may have.
    mkdirSync(join(this.folder, 'no-torch'));
    writeFileSync(join(this.folder, 'no-torch', 'torch.py'), '');
  }

  /** A native source whose addon is the number `answer`. */
  writeSource(answer: number | string): void {
    writeFileSync(
      join(this.package, 'native', 'src', 'addon.cc'),
      `#include <node_api.h>
NAPI_MODULE_INIT() { napi_value v; napi_create_int32(env, ${answer}, &v); return v; }
`,
    );
  }

  /** Answer of the addon when a new process loads it. */
  answer(): string {
    return execFileSync(process.execPath, ['-p', 'require(process.argv[1])', this.addon], {
      encoding: 'utf8',
    }).trim();
  }

  /**
   * Starts set-up, which sees neither this machine's cache and torch nor its package indexes unless
   * `env` says so.
   */
  start(
    env: Record<string, string> = {},
    program = 'main.js',
  ): { child: ChildProcess; done: Promise<SetupRun> } {
    const child = spawn(process.execPath, [join(this.package, 'dist/src/torch/setup', program)], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: process.env['HOME'] ?? '',
        XDG_CACHE_HOME: this.cache,
        PIP_NO_INDEX: '1',
        PIP_CONFIG_FILE: '/dev/null',
        PYTHONPATH: join(this.folder, 'no-torch'),
        // A later build then takes half the time.
        SAE_EVAL_KEEP_OBJECTS: '1',
        ...env,
      },
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
    return {
      child,
      done: new Promise((done) => child.on('close', (code) => done({ code, stderr }))),
    };
  }

  /** Makes the prebuilt addon of a package that is to be packed. */
  prebuild(env: Record<string, string> = {}): Promise<SetupRun> {
    return this.start(env, 'prebuild.js').done;
  }

  run(env: Record<string, string> = {}): Promise<SetupRun> {
    return this.start(env).done;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * A folder laid out as libtorch, of libraries without content. A CUDA build needs
 * `libruntime_of_test.so`, here or in `nvidia` beside it.
 */
export function writeLibtorch(folder: string, { version = '2.13.0', cuda = false } = {}): string {
  const compile = (name: string, args: readonly string[] = []): void => {
    execFileSync('c++', [
      '-shared',
      '-fPIC',
      '-x',
      'c++',
      '/dev/null',
      '-x',
      'none',
      '-o',
      join(folder, 'lib', name),
      `-Wl,-soname,${name}`,
      '-Wl,--no-as-needed',
      ...args,
    ]);
  };
  mkdirSync(join(folder, 'lib'), { recursive: true });
  mkdirSync(join(folder, 'include', 'ATen'), { recursive: true });
  writeFileSync(join(folder, 'include', 'ATen', 'ATen.h'), '');
  writeFileSync(join(folder, 'version.py'), `__version__ = '${version}'\n`);
  compile('libc10.so');
  if (cuda) {
    compile('libruntime_of_test.so');
    compile('libtorch_cuda.so', [
      join(folder, 'lib', 'libruntime_of_test.so'),
      '-Wl,-rpath,$ORIGIN/../../nvidia/runtime/lib',
    ]);
  }
  compile('libtorch_cpu.so');
  compile('libtorch.so', [
    join(folder, 'lib', cuda ? 'libtorch_cuda.so' : 'libtorch_cpu.so'),
    '-Wl,-rpath,$ORIGIN',
    '-Wl,--allow-shlib-undefined',
  ]);
  return folder;
}

/** Packs a folder's content as a wheel that pip accepts. */
export function writeWheel(
  wheels: string,
  content: string,
  { name, version, requires = [] }: { name: string; version: string; requires?: string[] },
): string {
  mkdirSync(wheels, { recursive: true });
  const info = join(content, `${name}-${version}.dist-info`);
  mkdirSync(info, { recursive: true });
  writeFileSync(
    join(info, 'METADATA'),
    [
      'Metadata-Version: 2.1',
      `Name: ${name}`,
      `Version: ${version}`,
      ...requires.map((other) => `Requires-Dist: ${other}`),
      '',
    ].join('\n'),
  );
  writeFileSync(
    join(info, 'WHEEL'),
    'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
  );
  writeFileSync(join(info, 'RECORD'), '');
  const wheel = join(wheels, `${name}-${version}-py3-none-any.whl`);
  execFileSync('python3', [
    '-c',
    'import shutil, sys; shutil.make_archive(sys.argv[1], "zip", sys.argv[2])',
    wheel,
    content,
  ]);
  renameSync(`${wheel}.zip`, wheel);
  return wheel;
}
