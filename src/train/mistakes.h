/* The images that a network is wrong about and sure of: what a person looks at first. */
#ifndef SPN_TRAIN_MISTAKES_H
#define SPN_TRAIN_MISTAKES_H

#include "graph/graph.h"
#include "train/data.h"

enum { SPN_MISTAKES = 24, SPN_MISTAKE_SIDE = 64 }; /* how many are kept; pixels of their pictures */

typedef struct {
  uint32_t item;                                              /* of the data set */
  int label, called;                                          /* classes */
  double confidence;                                          /* probability of `called` */
  double right;                                               /* of `label` */
  unsigned char rgb[SPN_MISTAKE_SIDE * SPN_MISTAKE_SIDE * 3]; /* (side,side,3) as the network sees it */
} spn_mistake;

typedef struct {
  int count, side;                /* side: at most SPN_MISTAKE_SIDE */
  size_t wrong;                   /* images that were called something else, in all */
  spn_mistake list[SPN_MISTAKES]; /* the surest first */
} spn_mistakes;

/* Looks through a batch that the graph has just scored; out: zeros before the first. Images with the same confidence
 * stay in their order. */
void spn_mistakes_gather(const spn_graph *g, const spn_batch *batch, const spn_data *d, spn_mistakes *out);
/* {"wrong": N, "mistakes": [{"image", "class", "called", "confidence", "right", "png" (base64)}]} into a file. */
spn_status spn_mistakes_save(const spn_mistakes *m, const spn_data *d, const char *path, spn_err *err);

#endif
