/** The device that a request means. */
import { describe, expect, it } from 'vitest';
import { resolveDevice } from '#src/evaluation/run/device.js';

const present = ['cpu', 'cuda:0', 'cuda:1', 'cuda:2'];
const free: Record<string, number> = { 'cuda:0': 1, 'cuda:1': 3, 'cuda:2': 3 };

describe('the device of a request', () => {
  it('is the one that it names', () => {
    expect(resolveDevice('cuda:2', present)).toBe('cuda:2');
    expect(resolveDevice('cpu', present)).toBe('cpu');
  });

  it.each([undefined, 'cuda'])('is the CUDA device with the most free memory for %s', (wanted) => {
    expect(resolveDevice(wanted, present, (name) => free[name]!)).toBe('cuda:1');
    expect(resolveDevice(wanted, present)).toBe('cuda:0');
    expect(resolveDevice(wanted, ['cpu', 'cuda:0'])).toBe('cuda:0');
  });

  it('is the CPU where there is no other, unless CUDA is asked for', () => {
    expect(resolveDevice(undefined, ['cpu'])).toBe('cpu');
    expect(() => resolveDevice('cuda', ['cpu'])).toThrow(/found cuda .*no CUDA device/);
    expect(() => resolveDevice('cuda:7', present)).toThrow(/expected one of cpu, cuda:0, cuda:1/);
  });
});
