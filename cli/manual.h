/* manual.h: the manual page imgret(1), from the one table of commands and flags. */
#ifndef IMGRET_CLI_MANUAL_H
#define IMGRET_CLI_MANUAL_H

/* Prints the page, in the macros of man(7). Its date is SOURCE_DATE_EPOCH of the environment, where
 * that is set, else today. */
void cli_write_manual(void);

#endif
