/** Reads certificates by their serial numbers, strongly consistently. */
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { batchGet } from '../aws/batch-get.ts';
import { tableName } from '../names.ts';
import type { World } from '../world.ts';
import { type Certificate, parseCertificate } from './certificate.ts';

/** null: there is no such row. */
export const findCertificate = async (world: World, serial_number: string): Promise<Certificate | null> => {
  const { Item } = await world.documents.send(
    new GetCommand({
      TableName: tableName(world.deployment, 'certificates'),
      Key: { serial_number },
      ConsistentRead: true,
    }),
  );
  return Item === undefined ? null : parseCertificate(Item);
};

/** Those that exist, in no order. */
export const findCertificates = async (
  world: World,
  serial_numbers: readonly string[],
): Promise<readonly Certificate[]> => {
  const keys = [...new Set(serial_numbers)].map((serial_number) => ({ serial_number }));
  return (await batchGet(world, tableName(world.deployment, 'certificates'), keys)).map(parseCertificate);
};
