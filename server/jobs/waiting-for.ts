/** Which evaluations a device takes, and what is said of those that no device takes. */
import { kindOfDevice } from '../../src/evaluation/run/device.js';
import type { Bilingual } from '../../src/schema/result.js';

/** Names by which an evaluation may ask for a device: `cuda:1` and `cuda`. */
export function takenBy(device: string): readonly string[] {
  const kind = kindOfDevice(device);
  return kind === device ? [device] : [device, kind];
}

/** Why an evaluation of a server with a queue waits if no worker takes it. */
export function waitingForWorker(asked: string): Bilingual {
  return {
    en:
      `It waits for a worker with a device of the kind ${asked}; none is connected. Start one ` +
      'with sae-eval worker.',
    zh: `正在等待具有 ${asked} 类设备的工作进程，目前没有连接；请用 sae-eval worker 启动一个。`,
  };
}

/** Why an evaluation waits for a device that none of `present` is. */
export function waitingFor(asked: string, present: readonly string[]): Bilingual {
  const isKind = asked === kindOfDevice(asked);
  return {
    en:
      `It waits for ${isKind ? `a device of the kind ${asked}` : `the device ${asked}`}, which ` +
      `this machine does not have now; it has ${present.join(', ')}. It runs when the server has ` +
      'that device again; or cancel it and submit it for another.',
    zh:
      `正在等待${isKind ? ` ${asked} 类设备` : `设备 ${asked}`}，本机目前没有；现有 ` +
      `${present.join('、')}。服务器重新拥有该设备后即会运行；也可取消后改用其他设备提交。`,
  };
}
