/** TorchScript files: every kind of value in and out. test/golden/script/make.py makes the file. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { memory, noGrad, scope, ScriptModule, tensor, type Tensor } from '#src/torch/index.js';

const path = fileURLToPath(new URL('../golden/script/calls.pt', import.meta.url));
const module_ = new ScriptModule(path);
const coded = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) as string });

describe('ScriptModule', () => {
  it('lists its methods, parameters and buffers', () => {
    expect(module_.methods()).toEqual(
      expect.arrayContaining(['forward', 'strings', 'dicts', 'tuples', 'optional']),
    );
    expect(module_.schema()).toBe('forward(Tensor x, int times=1, float shift=0.) -> Tensor');
    expect([...module_.parameters().keys()]).toEqual(['linear.weight', 'linear.bias']);
    expect(module_.parameters().get('linear.weight')!.toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(module_.buffers().get('scale')!.toArray()).toEqual([10]);
  });

  it('runs forward with tensors and numbers, by position and by name', () => {
    const x = tensor([[1, 1]]);
    expect(module_.forwardSync(x).detach().toArray()).toEqual([[3.5, 6.5]]);
    expect(module_.forwardSync(x, 2, 1).detach().toArray()).toEqual([[8, 14]]);
    expect(module_.forwardSync(x, { shift: 0.5 }).detach().toArray()).toEqual([[4, 7]]);
  });

  it('takes and gives strings, lists, dictionaries, tuples and None', () => {
    expect(module_.call<string>('strings', 'a', ['b', 'c'])).toBe('a:b,c');
    const made = module_.call<Map<string, Tensor>>(
      'dicts',
      new Map([['x', tensor([1, 2])]]),
      new Map([
        [2, 0.5],
        [3, 1],
      ]),
    );
    expect([...made].map(([key, value]) => [key, value.toArray()])).toEqual([['x!', [14, 24]]]);
    expect(
      module_.call<unknown>(
        'tuples',
        [tensor([1, 2]), 4],
        [
          ['n', 0.5],
          ['m', 2],
        ],
      ),
    ).toEqual([7, [0.5, 2], ['n', true]]);
    expect(module_.call('optional', null)).toBeNull();
    expect(module_.call('optional', tensor([1])).toArray()).toEqual([2]);
  });

  it('computes on another thread, in the modes of the call', async () => {
    const x = tensor([[1, 1]]);
    // libtorch specialises a program on the modes of its first runs
    const fresh = new ScriptModule(path);
    const promises = Array.from(
      { length: 8 },
      (_, i) => noGrad(() => [fresh.forward(x, i)] as const)[0],
    );
    x.dispose(); // the calls hold what they need
    const results = await Promise.all(promises);
    expect(results.map((each) => each.requiresGrad)).toEqual(
      Array.from({ length: 8 }, () => false),
    );
    expect(results.map((each) => each.toArray())).toEqual(
      Array.from({ length: 8 }, (_, i) => [[3.5 * i, 6.5 * i]]),
    );
    await expect(module_.callAsync('refuse', tensor([1]))).rejects.toEqual(
      coded('torch-operator', /not this one/),
    );
  });

  it('moves to another dtype, and shares its parameters', () => {
    const other = new ScriptModule(path, { device: 'cpu' }).eval();
    expect(
      other.to({ dtype: 'float64' }).forwardSync(tensor([[1, 1]], { dtype: 'float64' })).dtype,
    ).toBe('float64');
    noGrad(() => [other.parameters().get('linear.bias')!.zero_()]);
    expect(
      other
        .forwardSync(tensor([[1, 1]], { dtype: 'float64' }))
        .detach()
        .toArray(),
    ).toEqual([[3, 7]]);
  });

  it('leaves nothing behind in a scope', () => {
    const before = memory();
    scope(() => {
      module_.forwardSync(tensor([[1, 1]]));
      module_.parameters();
      return null;
    });
    expect(memory()).toEqual(before);
  });

  it('says what does not fit, what it has not, and what is no such file', () => {
    expect(() => module_.forwardSync('x')).toThrow(
      coded('torch-argument', /argument 'x': expected a Tensor, found the string 'x'/),
    );
    expect(() => module_.call('dicts', { x: 1 })).toThrow(
      coded('torch-argument', /expected a Map/),
    );
    expect(() => module_.call('tuples', [tensor([1])], [])).toThrow(
      coded('torch-argument', /argument 'pair': expected an array of 2/),
    );
    expect(() => module_.call('nothing')).toThrow(coded('torch-argument', /no method 'nothing'/));
    expect(() => module_.call('refuse', tensor([1]))).toThrow(
      coded('torch-operator', /not this one/),
    );
    expect(() => new ScriptModule(join(path, '..', 'none.pt'))).toThrow(
      coded('file-not-found', /none\.pt does not exist/),
    );
    const folder = mkdtempSync(join(tmpdir(), 'script-'));
    writeFileSync(join(folder, 'text.pt'), 'no zip file');
    expect(() => new ScriptModule(join(folder, 'text.pt'))).toThrow(
      coded('checkpoint-format', /cannot be loaded as a file of torch.jit.save/),
    );
    rmSync(folder, { recursive: true });
  });
});
