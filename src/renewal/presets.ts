/** The renewal runbook's table of presets. They are policies of the private CA, and what other policies may begin from. */

interface Preset {
  readonly lifetime_days: number;
  readonly renewal_window_days: number;
  readonly client_auth?: true;
}

export const presets: Readonly<Record<string, Preset>> = {
  /** What the calendar allows public certificates from March 2029 on. */
  '47-day': { lifetime_days: 47, renewal_window_days: 10 },
  /** From March 2027 on. */
  '100-day': { lifetime_days: 100, renewal_window_days: 20 },
  /** From March 2026 on. */
  '200-day': { lifetime_days: 200, renewal_window_days: 30 },
  /** For clients, too: the private CA alone issues those. */
  mtls: { lifetime_days: 365, renewal_window_days: 30, client_auth: true },
};

export const presetNames: readonly string[] = Object.keys(presets);
export const isPreset = (policy_id: string): boolean => Object.hasOwn(presets, policy_id);
