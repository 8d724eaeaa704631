/* entryless.c: a shared object that is no backend plugin at all. */
int not_an_entry(void);

int not_an_entry(void)
{
    return 1;
}
