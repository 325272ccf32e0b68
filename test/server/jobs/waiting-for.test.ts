/** Which evaluations a device takes, and what the others are told. */
import { describe, expect, it } from 'vitest';
import { takenBy, waitingFor } from '#server/jobs/waiting-for.js';
import { askedDevice } from '#src/evaluation/run/device.js';

describe('what asks for a device', () => {
  it('is its name, or its kind', () => {
    expect(takenBy('cpu')).toEqual(['cpu']);
    expect(takenBy('cuda:11')).toEqual(['cuda:11', 'cuda']);
  });

  it.each([
    [undefined, ['cpu'], 'cpu'],
    [undefined, ['cpu', 'cuda:0'], 'cuda'],
    ['cuda', ['cpu', 'cuda:0'], 'cuda'],
    ['cuda:1', ['cpu', 'cuda:0', 'cuda:1'], 'cuda:1'],
    ['cpu', ['cpu', 'cuda:0'], 'cpu'],
  ])('is kept as asked: %s on %j', (wanted, present, asked) => {
    expect(askedDevice(wanted, present)).toBe(asked);
  });

  it.each([
    ['cuda', ['cpu']],
    ['cuda:1', ['cpu', 'cuda:0']],
  ])('must be there: %s on %j', (wanted, present) => {
    expect(() => askedDevice(wanted, present)).toThrow(
      expect.objectContaining({ code: 'device-unavailable' }) as Error,
    );
  });
});

it('says in both languages what is waited for, and what there is', () => {
  const any = waitingFor('cuda', ['cpu']);
  expect(any.en).toContain('waits for a device of the kind cuda, which this machine does not have');
  expect(any.zh).toContain('正在等待 cuda 类设备，本机目前没有；现有 cpu。');
  const one = waitingFor('cuda:3', ['cpu', 'cuda:0']);
  expect(one.en).toContain('waits for the device cuda:3, which this machine does not have now');
  expect(one.en).toContain('it has cpu, cuda:0.');
});
