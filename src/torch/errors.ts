/** Errors of the binding: libtorch's own messages, without C++ frames. */
import { SaeEvalError, type ErrorCode } from '../errors.js';

/**
 * An error of an operator, a device or a file, raised by the native side. `code` is
 * `torch-operator`, `torch-argument`, `tensor-disposed`, `device-memory`, `checkpoint-format`, ….
 */
export class TorchError extends SaeEvalError {
  constructor(code: ErrorCode, message: string) {
    super(code, message);
    this.name = 'TorchError';
  }
}
