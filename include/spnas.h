/* spnas as a library: open a trained network, classify images, export it. The one public header; the program `spnas`
 * does the searching and training. Link with libspnas, oneDNN, OpenMP, cJSON, zlib and libm.
 *
 *   spnas_error error;
 *   spnas_network *net;
 *   if (spnas_network_open("runs/t/best.safetensors", 0, &net, &error)) { fprintf(stderr, "%s\n", error.text); ... }
 *   float probability[10];
 *   spnas_network_classify(net, rgb, height, width, probability, &error);
 *   spnas_network_close(net);
 */
#ifndef SPNAS_H
#define SPNAS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int code;        /* 0: no error; 2: wrong input; 3: the system refused; 4: out of memory; 5: a number is NaN or
                      infinite (a weight to export); 6: oneDNN refused */
  char text[1024]; /* place, expected and got */
} spnas_error;

/* A network with its weights and preprocessing. Several threads may classify with one network at a time; each such
 * thread costs the memory of one more copy of the weights. */
typedef struct spnas_network spnas_network;

/* "0.1.0 (commit)". */
const char *spnas_version(void);

/* Opens a .safetensors file that `spnas train` or `spnas search` wrote. threads 0: all cores. Returns error->code. */
int spnas_network_open(const char *path, int threads, spnas_network **out, spnas_error *error);
void spnas_network_close(spnas_network *net); /* NULL is allowed */

int spnas_network_classes(const spnas_network *net);
/* Name of a class (UTF-8), or "" when the file holds none. Lives as long as the network. */
const char *spnas_network_class_name(const spnas_network *net, int class_number);
/* Side of the square input in pixels. */
int spnas_network_input_size(const spnas_network *net);
/* Learnt parameters and multiply-accumulates of one image. */
void spnas_network_counts(const spnas_network *net, long long *parameters, long long *macs);

/* One image, 8-bit RGB (height,width,3), of any size: resized, cropped and normalised as in the network's evaluation.
 * probability (classes) sums to 1. Returns error->code. */
int spnas_network_classify(spnas_network *net, const unsigned char *rgb, int height, int width, float *probability,
                           spnas_error *error);

/* Several images at once, each of its own size: faster than one by one. probability (count,classes). */
typedef struct {
  const unsigned char *rgb; /* 8-bit RGB (height,width,3) */
  int height, width;
} spnas_image;
int spnas_network_classify_batch(spnas_network *net, const spnas_image *images, int count, float *probability,
                                 spnas_error *error);

/* Writes the network in a format of `spnas export` ("onnx", "tflite"; NULL or "auto": the one whose suffix path has)
 * with its default options. A suffix of another format than the one named is refused. Returns error->code. */
int spnas_network_export(const spnas_network *net, const char *format, const char *path, spnas_error *error);

#ifdef __cplusplus
}
#endif

#endif
