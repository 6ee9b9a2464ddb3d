// Package verdictstore keeps what the webhook verified in ConfigMaps of its namespace, so that a replica that starts
// while a registry is down still knows it.
//
// The ConfigMaps are storage that others may be able to write: each record is sealed by a hash with the key of the
// webhook's other seals, over its name, its times and its content. What does not verify is absent. Whoever can write
// the ConfigMaps can take records away or put an earlier one back, whose times are sealed too, but not make one.
//
// Records are spread over 16 ConfigMaps by the hash of their names, bounded in size: those that end first go first.
// Replicas write side by side; of two records of the same name the later one counts.
//
// What it does not do: read what records say (package signature/verdict does), keep them in memory, or decide when to write.
package verdictstore
