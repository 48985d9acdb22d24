interface Step {
  name: string;
  close: () => unknown;
}

/** What was started, closed in reverse order. */
export class Lifecycle {
  private readonly steps: Step[] = [];
  private closing?: Promise<void>;
  private running?: string;

  onClose(name: string, close: () => unknown): void {
    this.steps.push({ name, close });
  }

  /** The step that is closing now: what a shutdown past its deadline still waits for. */
  get pending(): string | undefined {
    return this.running;
  }

  /** Runs every step in reverse, even after one failed; a second call joins the first. @throws AggregateError */
  close(): Promise<void> {
    this.closing ??= this.closeAll();
    return this.closing;
  }

  private async closeAll(): Promise<void> {
    const errors: unknown[] = [];
    for (let step = this.steps.pop(); step; step = this.steps.pop()) {
      this.running = step.name;
      try {
        await step.close();
      } catch (error) {
        errors.push(new Error(`closing ${step.name} failed`, { cause: error }));
      }
    }
    this.running = undefined;
    if (errors.length > 0) throw new AggregateError(errors, 'closing failed');
  }
}
