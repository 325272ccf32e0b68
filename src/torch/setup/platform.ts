/** Operating system, processor architecture and NVIDIA driver of this machine. */
import { existsSync } from 'node:fs';
import { SaeEvalError } from '../../errors.js';

export interface Platform {
  os: string;
  arch: string;
  /** Version of glibc, or null with another C library. */
  glibc: string | null;
}

export function thisPlatform(): Platform {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return {
    os: process.platform,
    arch: process.arch,
    glibc: report.header?.glibcVersionRuntime ?? null,
  };
}

/** @throws SaeEvalError `platform-unsupported` unless it is Linux on x86-64 or arm64 with glibc. */
export function requireSupportedPlatform(platform: Platform = thisPlatform()): void {
  const supported =
    platform.os === 'linux' && ['x64', 'arm64'].includes(platform.arch) && platform.glibc !== null;
  if (supported) return;
  const found =
    platform.os === 'linux' && platform.glibc === null
      ? `linux ${platform.arch} without glibc`
      : `${platform.os} ${platform.arch}`;
  throw new SaeEvalError(
    'platform-unsupported',
    `sae-eval runs on Linux x86-64 and arm64 with glibc, but this is ${found}: use such a ` +
      'machine or container until somebody has checked this platform.',
  );
}

/** Tag of this platform in folder names: `linux-x64`. */
export function platformTag(): string {
  return `${process.platform}-${process.arch}`;
}

export function hasNvidiaDriver(): boolean {
  return existsSync('/proc/driver/nvidia/version') || existsSync('/dev/nvidiactl');
}
