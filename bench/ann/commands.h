/* commands.h: the sub-commands of imgret-bench; each gets all arguments and returns an exit status. */
#ifndef IR_BENCH_COMMANDS_H
#define IR_BENCH_COMMANDS_H

#include <stdint.h>

int bench_gen(int argc, char **argv);
int bench_ann(int argc, char **argv);
int bench_merge(int argc, char **argv);
int bench_peers(int argc, char **argv);
int bench_plot(int argc, char **argv);
int bench_table(int argc, char **argv);

/* CPUs that this process may use. */
uint32_t bench_cpu_count(void);

#endif
