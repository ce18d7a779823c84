// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of a `models.register` transaction. Registers a model file by its digest.
 */
export interface ModelsRegisterBody {
  /**
   * Its id from now on.
   */
  model: string;
  /**
   * What people call the model: printable ASCII.
   */
  name: string;
  /**
   * SHA-256 of the file. A digest is registered once: a revoked file does not come back under another name.
   */
  sha256: string;
  /**
   * Bytes of the file.
   */
  size: number;
  /**
   * File format.
   */
  format: 'gguf';
  /**
   * Where the file comes from: URL or registry reference.
   */
  source: string;
  /**
   * Registered models that it was made from.
   *
   * @minItems 0
   * @maxItems 16
   */
  lineage: Parent[];
}
/**
 * A model that this one was made from.
 */
export interface Parent {
  /**
   * Model id.
   */
  model: string;
  /**
   * How.
   */
  relation: 'fine-tuned' | 'quantised' | 'converted' | 'merged' | 'distilled';
}
