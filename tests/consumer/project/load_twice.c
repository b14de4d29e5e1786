/// \file
/// Calls `check_twice` from the shared library that twice.c and three models were linked into.
int check_twice(void);

int main(void) { return check_twice(); }
