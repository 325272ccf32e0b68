/** Handles and bytes: scopes, disposal, and loops whose memory stays flat. */
import { describe, expect, it } from 'vitest';
import { freedIfThrown, keep, memory, scope, zeros, type Tensor } from '#src/torch/index.js';
import { full } from '../full.js';

describe('memory', () => {
  it('frees what a scope made, also when it throws, and leaves nothing behind', () => {
    const before = memory();
    scope(() => {
      for (let i = 0; i < 10; i++) zeros([16]).add(i);
      scope(() => zeros([4]));
      return null;
    });
    expect(() =>
      scope(() => {
        zeros([4]);
        throw new Error('out');
      }),
    ).toThrow('out');
    expect(memory()).toEqual(before);
  });

  it('keeps what is kept until it is disposed', () => {
    const before = memory().handles;
    let kept: Tensor | undefined;
    scope(() => {
      kept = keep(zeros([4]));
      return null;
    });
    expect(kept?.disposed).toBe(false);
    expect(memory().handles).toBe(before + 1);
    kept?.dispose();
    expect(memory().handles).toBe(before);
  });

  it('frees what a part of an object holds if the rest cannot be made', () => {
    const before = memory().handles;
    const whole = { own: null as Tensor | null };
    scope(() => {
      freedIfThrown(() => {
        whole.own = zeros([4]);
        return 0;
      });
      const more = whole.own!.add(1);
      expect(more.toArray()).toEqual([1, 1, 1, 1]);
      expect(() =>
        freedIfThrown(() => {
          zeros([4]).t();
          throw new Error('out');
        }),
      ).toThrow('out');
      expect(memory().handles).toBe(before + 2);
      more.dispose();
      return null;
    });
    expect(whole.own?.disposed).toBe(true);
    expect(memory().handles).toBe(before);
    const alone = freedIfThrown(() => [zeros([4])]);
    expect(alone[0]!.disposed).toBe(false);
    alone[0]!.dispose();
    expect(() => freedIfThrown((): never => Promise.resolve() as never)).toThrow(/synchronous/);
  });

  it('counts memory once, from the first handle on it to the last', () => {
    const before = memory().bytes;
    const x = zeros([256]); // 1 KiB
    const view = x.view([16, 16]);
    expect(memory().bytes - before).toBe(1024);
    x.dispose();
    expect(memory().bytes - before).toBe(1024);
    view.dispose();
    expect(memory().bytes).toBe(before);
    const leaf = zeros([256]);
    leaf.requiresGrad = true;
    const y = leaf.exp(); // the graph holds its memory too
    expect(memory().bytes - before).toBe(2048);
    for (const each of [y, leaf]) each.dispose();
    expect(memory().bytes).toBe(before);
  });

  const rounds = !full ? 60 : 1000;
  it(`stays flat over ${rounds} temporaries of 64 MB in scopes`, () => {
    const resident = process.memoryUsage.rss();
    for (let i = 0; i < rounds; i++)
      scope(() =>
        zeros([16 * 2 ** 20])
          .add_(1)
          .sum(),
      );
    // Two such tensors and slack: without scopes it would be many GB.
    expect(process.memoryUsage.rss() - resident).toBeLessThan(300 * 2 ** 20);
  });
});
