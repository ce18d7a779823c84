// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * State value at `routing/instance/<name>`.
 */
export interface InstanceRecord {
  /**
   * A registered name.
   */
  instance: string;
  /**
   * What it is.
   */
  state: 'up' | 'down';
  /**
   * Null when down.
   */
  endpoint: Endpoint | null;
  /**
   * The model that it runs.
   */
  model: string | null;
  /**
   * Block of the last change.
   */
  since: number;
}
/**
 * Where and how to reach it.
 */
export interface Endpoint {
  /**
   * URL.
   */
  url: string;
  /**
   * Protocol.
   */
  protocol: string;
}
