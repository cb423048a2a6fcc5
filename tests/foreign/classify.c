/* classify NETWORK: the most probable class of a grey image, and that probabilities sum to 1. */
#include <math.h>
#include <spnas.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  static unsigned char rgb[48 * 64 * 3];
  spnas_error error;
  spnas_network *net;
  double sum = 0;
  int best = 0;
  for (size_t i = 0; i < sizeof rgb; i++) rgb[i] = 128;
  if (spnas_network_open(argc > 1 ? argv[1] : "", 1, &net, &error)) {
    fprintf(stderr, "%s\n", error.text);
    return error.code;
  }
  int classes = spnas_network_classes(net);
  float *probability = malloc((size_t)classes * sizeof *probability);
  if (!probability || spnas_network_classify(net, rgb, 48, 64, probability, &error)) return 1;
  for (int i = 0; i < classes; i++) {
    sum += (double)probability[i];
    if (probability[i] > probability[best]) best = i;
  }
  printf("%s %.3f\n", spnas_network_class_name(net, best), (double)probability[best]);
  free(probability);
  spnas_network_close(net);
  return fabs(sum - 1) < 1e-4 ? 0 : 1;
}
