// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of a `models.lineage` transaction. Adds to what a model was made from.
 */
export interface ModelsLineageBody {
  /**
   * Model id.
   */
  model: string;
  /**
   * Registered models.
   *
   * @minItems 1
   * @maxItems 16
   */
  add: Parent[];
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
