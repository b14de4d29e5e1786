/* Uses two models that lie in a shared library. */
int run_both(float* first, float* second);

int main(void) {
  float first = 0, second = 1;
  return run_both(&first, &second) == 0 && first == second ? 0 : 1;
}
