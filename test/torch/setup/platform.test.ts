/** Platforms that sae-eval runs on, and paths of its parts. */
import { join } from 'node:path';
import { requireSupportedPlatform } from '#src/torch/setup/platform.js';
import { addonPath, cacheFolder, packageRoot } from '#src/torch/setup/paths.js';
import { afterEach, describe, expect, it, vi } from 'vitest';

describe('the platform', () => {
  it.each(['x64', 'arm64'])('linux %s with glibc is supported', (arch) => {
    expect(() => requireSupportedPlatform({ os: 'linux', arch, glibc: '2.36' })).not.toThrow();
  });

  it.each([
    [{ os: 'darwin', arch: 'arm64', glibc: null }, 'this is darwin arm64'],
    [{ os: 'win32', arch: 'x64', glibc: null }, 'this is win32 x64'],
    [{ os: 'linux', arch: 'riscv64', glibc: '2.36' }, 'this is linux riscv64'],
    [{ os: 'linux', arch: 'x64', glibc: null }, 'this is linux x64 without glibc'],
  ])('%o is refused', (platform, message) => {
    expect(() => requireSupportedPlatform(platform)).toThrow(
      expect.objectContaining({
        code: 'platform-unsupported',
        message: expect.stringContaining(message),
      }),
    );
  });
});

describe('paths', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('the addon lies in the package, unless SAE_EVAL_ADDON names another', () => {
    vi.stubEnv('SAE_EVAL_ADDON', '');
    expect(addonPath()).toBe(join(packageRoot, 'build/addon/sae_eval.node'));
    vi.stubEnv('SAE_EVAL_ADDON', '/opt/sae_eval.node');
    expect(addonPath()).toBe('/opt/sae_eval.node');
  });

  it('the cache is under XDG_CACHE_HOME, else in the home folder', () => {
    vi.stubEnv('XDG_CACHE_HOME', '/var/cache');
    expect(cacheFolder()).toBe('/var/cache/sae-eval');
    vi.stubEnv('XDG_CACHE_HOME', '');
    vi.stubEnv('HOME', '/home/somebody');
    expect(cacheFolder()).toBe('/home/somebody/.cache/sae-eval');
  });
});
