// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of a `routing.instance` transaction. Says that an instance is up, and where, or down.
 */
export interface RoutingInstanceBody {
  /**
   * The account that receives packets under its name.
   */
  instance: string;
  /**
   * What it is from now on.
   */
  state: 'up' | 'down';
  /**
   * Needed when up, null when down.
   */
  endpoint: Endpoint | null;
  /**
   * The model that it runs; it must be authorised. Null when down, or when it runs none of the registry.
   */
  model: string | null;
}
/**
 * Where and how to reach it.
 */
export interface Endpoint {
  /**
   * URL of the endpoint.
   */
  url: string;
  /**
   * What is spoken there.
   */
  protocol: string;
}
