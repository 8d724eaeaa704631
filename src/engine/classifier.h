/* classifier.h: logistic regression on unit vectors: is it one of these, or one of those? */
#ifndef IR_ENGINE_CLASSIFIER_H
#define IR_ENGINE_CLASSIFIER_H

#include <imgret/imgret.h>
#include <stdbool.h>

typedef struct ir_classifier {
    uint32_t dimension;
    float *center; /* taken from every unit vector */
    float *weights;
    double bias;
} ir_classifier;

/* Learns from `yes_count` and `no_count` vectors (rows of `dimension` floats, of any length; at least
 * one of each). Both sides weigh the same however many they are. The same vectors give the same
 * classifier. `stop` (may be NULL) is asked now and then. INVALID_ARGUMENT when all vectors are the
 * same; INTERRUPTED; NO_MEMORY. */
int32_t ir_classifier_learn(ir_classifier *out, uint32_t dimension, const float *yes,
                            uint64_t yes_count, const float *no, uint64_t no_count,
                            bool (*stop)(void *context), void *context, imgret_error *error);
void ir_classifier_free(ir_classifier *classifier);

/* How likely it is that a vector is one of `yes`, 0..1. */
double ir_classifier_confidence(const ir_classifier *classifier, const float *vector);

#endif
