// Package systemtest shows what the platform promises as a black box: the same cases against one process (single), against
// a process per service (many), and against two of each (two). They use the built programs, the command line and plain
// gRPC; what happened is read from answers, the database and the mail catcher, with none of the platform's own packages
// but the contract in proto.
//
// TestSystem is the cases; TestChaos kills everything while files come in. Settings of the tests:
//
//	CONTACTMILL_BIN         directory of the programs; bin of this repository if not set
//	CONTACTMILL_TOPOLOGY    single, many or two; all of them if not set
//	CONTACTMILL_TEST_CHAOS  long: all kills and full outages; a short version if not set
//	CONTACTMILL_TEST_SEED   number that decides what is killed when; random, and told, if not set
//	CONTACTMILL_TEST_KEEP   any value: the state of every target stays where it is told to be
//	CONTACTMILL_CORPORA     directory of the public corpora; ../shared/data beside the repository if not set
package systemtest
