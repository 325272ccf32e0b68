/** The device, its memory before anything is computed, and its name in a result. */
import { cuda, devices, ops, versions } from '../../../dist/src/torch/index.js';
import { describeMachine } from '../../../dist/src/compute/machine.js';
import { expect } from '../checks.mjs';

const gib = (bytes) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

export const checks = ({ device, deviceName }) => [
  {
    name: 'device and versions',
    body: () => {
      expect(devices().includes(device), `${device} is not among ${devices().join(', ')}`);
      expect(!cuda.allowsTf32(), 'TF32 is on');
      return `${deviceName}, libtorch ${versions().libtorch}, Node.js ${process.version}`;
    },
  },
  {
    name: 'memory, without a context',
    body: () => {
      const { name, totalBytes, freeBytes } = cuda.describe(device);
      expect(name === deviceName, `the driver calls the device ${name}`);
      expect(freeBytes !== null, 'NVML does not tell the free memory');
      return `${gib(freeBytes)} of ${gib(totalBytes)} free`;
    },
  },
  {
    name: 'memory before the first tensor',
    body: () => {
      const { freeBytes, totalBytes, allocatedBytes } = cuda.memory(device);
      expect(allocatedBytes === 0, `${allocatedBytes} bytes are allocated`);
      expect(freeBytes > 0 && freeBytes <= totalBytes, `${freeBytes} of ${totalBytes} bytes`);
      return `${gib(freeBytes)} of ${gib(totalBytes)} free`;
    },
  },
  {
    name: 'memory of tensors is counted',
    body: () => {
      const bytes = 2 ** 22;
      const x = ops.empty([bytes], { device, dtype: 'uint8' });
      const { allocatedBytes, peakBytes } = cuda.memory(device);
      x.dispose();
      expect(allocatedBytes >= bytes, `${allocatedBytes} bytes are allocated`);
      expect(peakBytes >= bytes, `the peak is ${peakBytes} bytes`);
      const after = cuda.memory(device).allocatedBytes;
      expect(after === 0, `${after} bytes are left`);
    },
  },
  {
    name: 'the device as servers list it',
    body: () => {
      const found = describeMachine().devices.find(({ name }) => name === device);
      expect(found !== undefined, `${device} is not listed`);
      expect(found.totalBytes > 0, 'its memory is unknown');
      return JSON.stringify(found);
    },
  },
];
