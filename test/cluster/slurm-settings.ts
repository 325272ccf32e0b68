/** Slurm's settings for a controller and nodes that share one kernel. */
import { join } from 'node:path';
import type { Host } from './host.js';

export interface SlurmPlace {
  folder: string;
  controller: Host;
  nodes: readonly Host[];
  /** CPUs of each node, as Slurm counts them: tasks that run at once. */
  cpus: number;
}

/** Text of `slurm.conf`. */
export function slurmSettings({ folder, controller, nodes, cpus }: SlurmPlace): string {
  const names = nodes.map(({ name }) => name).join(',');
  const at = (name: string): string => join(folder, name);
  return [
    'ClusterName=tests',
    `SlurmctldHost=${controller.name}(${controller.address})`,
    ...['SlurmUser=root', 'AuthType=auth/munge', 'CredType=cred/munge'],
    `AuthInfo=socket=${at('munge/socket')}`,
    `StateSaveLocation=${at('state')}`,
    `SlurmdSpoolDir=${at('spool-%n')}`,
    `SlurmctldPidFile=${at('slurmctld.pid')}`,
    `SlurmdPidFile=${at('slurmd-%n.pid')}`,
    // One kernel, so no control groups of a node.
    ...['ProctrackType=proctrack/linuxproc', 'TaskPlugin=task/none', 'MpiDefault=none'],
    ...['JobAcctGatherType=jobacct_gather/none', 'AccountingStorageType=accounting_storage/none'],
    ...['SelectType=select/cons_tres', 'SelectTypeParameters=CR_CPU', 'SwitchType=switch/none'],
    // Decisions within a second, not within a minute.
    'SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1',
    ...['SchedulerType=sched/backfill', 'KillWait=1', 'SlurmdTimeout=300', 'ReturnToService=2'],
    ...['PreemptType=preempt/partition_prio', 'PreemptMode=REQUEUE', 'JobRequeue=1'],
    ...nodes.map(({ name, address }) => `NodeName=${name} NodeAddr=${address} CPUs=${cpus}`),
    `PartitionName=low Nodes=${names} Default=YES PriorityTier=1 PreemptMode=REQUEUE`,
    `PartitionName=high Nodes=${names} PriorityTier=10 PreemptMode=OFF`,
    '',
  ].join('\n');
}
