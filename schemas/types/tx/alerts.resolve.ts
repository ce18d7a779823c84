// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of an `alerts.resolve` transaction. Says that an alert has been looked after.
 */
export interface AlertsResolveBody {
  /**
   * The alert: txId of its `alerts.raise`, or the grant that it is about.
   */
  alert: string;
}
