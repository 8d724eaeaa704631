/* layout.c: pins the size and the offsets of every public struct where pointers have 64 bits.
 *
 * Compiled, never run (make check-abi). A struct may only grow at its end: then its SIZE line
 * changes and FIELD lines are added; any other change breaks programs that exist.
 */
#include <imgret/backend.h>
#include <imgret/imgret.h>
#include <stddef.h>
#include <stdint.h>

#if UINTPTR_MAX == UINT64_MAX

#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), "size of " #type)
#define FIELD(type, field, offset) \
    _Static_assert(offsetof(type, field) == (offset), "offset of " #type "." #field)

SIZE(imgret_error, 512);
FIELD(imgret_error, size, 0);
FIELD(imgret_error, code, 4);
FIELD(imgret_error, message, 8);

SIZE(imgret_allocator, 40);
FIELD(imgret_allocator, size, 0);
FIELD(imgret_allocator, reserved_zero, 4);
FIELD(imgret_allocator, user, 8);
FIELD(imgret_allocator, alloc, 16);
FIELD(imgret_allocator, realloc, 24);
FIELD(imgret_allocator, free, 32);

SIZE(imgret_input, 72);
FIELD(imgret_input, size, 0);
FIELD(imgret_input, kind, 4);
FIELD(imgret_input, path, 8);
FIELD(imgret_input, data, 16);
FIELD(imgret_input, data_bytes, 24);
FIELD(imgret_input, row_bytes, 32);
FIELD(imgret_input, width, 40);
FIELD(imgret_input, height, 44);
FIELD(imgret_input, pixel_format, 48);
FIELD(imgret_input, dimension, 52);
FIELD(imgret_input, vector, 56);
FIELD(imgret_input, id, 64);

SIZE(imgret_limits, 24);
FIELD(imgret_limits, size, 0);
FIELD(imgret_limits, dimension_max, 4);
FIELD(imgret_limits, file_bytes_max, 8);
FIELD(imgret_limits, pixel_count_max, 16);

SIZE(imgret_open_options, 96);
FIELD(imgret_open_options, size, 0);
FIELD(imgret_open_options, flags, 4);
FIELD(imgret_open_options, model, 8);
FIELD(imgret_open_options, plugin_path, 16);
FIELD(imgret_open_options, limits, 24);
FIELD(imgret_open_options, metric, 32);
FIELD(imgret_open_options, vector_type, 36);
FIELD(imgret_open_options, threads, 40);
FIELD(imgret_open_options, busy_timeout_ms, 44);
FIELD(imgret_open_options, index_ram_bytes, 48);
FIELD(imgret_open_options, instances, 56);
FIELD(imgret_open_options, batch_max, 60);
FIELD(imgret_open_options, batch_delay_us, 64);
FIELD(imgret_open_options, queue_max, 68);
FIELD(imgret_open_options, feature_cache_bytes, 72);
FIELD(imgret_open_options, regions, 80);
FIELD(imgret_open_options, decode_isolation, 88);

SIZE(imgret_stats, 328);
FIELD(imgret_stats, size, 0);
FIELD(imgret_stats, dimension, 4);
FIELD(imgret_stats, metric, 8);
FIELD(imgret_stats, vector_type, 12);
FIELD(imgret_stats, image_count, 16);
FIELD(imgret_stats, failed_count, 24);
FIELD(imgret_stats, vector_count, 32);
FIELD(imgret_stats, delta_ram_bytes, 40);
FIELD(imgret_stats, catalog_bytes, 48);
FIELD(imgret_stats, query_count, 56);
FIELD(imgret_stats, query_us_total, 64);
FIELD(imgret_stats, scanned_count, 72);
FIELD(imgret_stats, model, 80);
FIELD(imgret_stats, model_identity, 88);
FIELD(imgret_stats, kernels, 96);
FIELD(imgret_stats, delta_vector_count, 104);
FIELD(imgret_stats, segment_count, 112);
FIELD(imgret_stats, segment_vector_count, 120);
FIELD(imgret_stats, segment_bytes, 128);
FIELD(imgret_stats, segment_ram_bytes, 136);
FIELD(imgret_stats, disk_read_count, 144);
FIELD(imgret_stats, batch_count, 152);
FIELD(imgret_stats, batch_image_count, 160);
FIELD(imgret_stats, feature_cache_hits, 168);
FIELD(imgret_stats, feature_cache_misses, 176);
FIELD(imgret_stats, feature_cache_bytes, 184);
FIELD(imgret_stats, partial_count, 192);
FIELD(imgret_stats, disk_read_bytes, 200);
FIELD(imgret_stats, disk_wait_us_total, 208);
FIELD(imgret_stats, cache_hit_count, 216);
FIELD(imgret_stats, hop_count, 224);
FIELD(imgret_stats, sign_distance_count, 232);
FIELD(imgret_stats, code_distance_count, 240);
FIELD(imgret_stats, exact_distance_count, 248);
FIELD(imgret_stats, code_ram_bytes, 256);
FIELD(imgret_stats, graph_ram_bytes, 264);
FIELD(imgret_stats, id_ram_bytes, 272);
FIELD(imgret_stats, check_ram_bytes, 280);
FIELD(imgret_stats, other_ram_bytes, 288);
FIELD(imgret_stats, graph_disk_bytes, 296);
FIELD(imgret_stats, io_kind, 304);
FIELD(imgret_stats, io_reason, 312);
FIELD(imgret_stats, regions, 320);

SIZE(imgret_optimize_options, 32);
FIELD(imgret_optimize_options, size, 0);
FIELD(imgret_optimize_options, flags, 4);
FIELD(imgret_optimize_options, memory_bytes_max, 8);
FIELD(imgret_optimize_options, on_progress, 16);
FIELD(imgret_optimize_options, user, 24);

SIZE(imgret_backup_options, 24);
FIELD(imgret_backup_options, size, 0);
FIELD(imgret_backup_options, flags_zero, 4);
FIELD(imgret_backup_options, on_progress, 8);
FIELD(imgret_backup_options, user, 16);

SIZE(imgret_add_options, 24);
FIELD(imgret_add_options, size, 0);
FIELD(imgret_add_options, flags_zero, 4);
FIELD(imgret_add_options, uri, 8);
FIELD(imgret_add_options, metadata, 16);

SIZE(imgret_add_result, 16);
FIELD(imgret_add_result, size, 0);
FIELD(imgret_add_result, outcome, 4);
FIELD(imgret_add_result, id, 8);

SIZE(imgret_ingest_item, 56);
FIELD(imgret_ingest_item, size, 0);
FIELD(imgret_ingest_item, outcome, 4);
FIELD(imgret_ingest_item, id, 8);
FIELD(imgret_ingest_item, uri, 16);
FIELD(imgret_ingest_item, code, 24);
FIELD(imgret_ingest_item, width, 28);
FIELD(imgret_ingest_item, height, 32);
FIELD(imgret_ingest_item, reserved_zero, 36);
FIELD(imgret_ingest_item, format, 40);
FIELD(imgret_ingest_item, message, 48);

SIZE(imgret_ingest_progress, 104);
FIELD(imgret_ingest_progress, size, 0);
FIELD(imgret_ingest_progress, listing_done, 4);
FIELD(imgret_ingest_progress, file_count, 8);
FIELD(imgret_ingest_progress, done_count, 16);
FIELD(imgret_ingest_progress, stored_count, 24);
FIELD(imgret_ingest_progress, replaced_count, 32);
FIELD(imgret_ingest_progress, unchanged_count, 40);
FIELD(imgret_ingest_progress, failed_count, 48);
FIELD(imgret_ingest_progress, known_bad_count, 56);
FIELD(imgret_ingest_progress, skipped_count, 64);
FIELD(imgret_ingest_progress, bytes_read, 72);
FIELD(imgret_ingest_progress, elapsed_us, 80);
FIELD(imgret_ingest_progress, moved_count, 88);
FIELD(imgret_ingest_progress, removed_count, 96);

SIZE(imgret_ingest_options, 56);
FIELD(imgret_ingest_options, size, 0);
FIELD(imgret_ingest_options, flags, 4);
FIELD(imgret_ingest_options, paths, 8);
FIELD(imgret_ingest_options, path_count, 16);
FIELD(imgret_ingest_options, on_item, 24);
FIELD(imgret_ingest_options, on_progress, 32);
FIELD(imgret_ingest_options, user, 40);
FIELD(imgret_ingest_options, commit_count, 48);
FIELD(imgret_ingest_options, commit_ms, 52);

SIZE(imgret_box, 20);
FIELD(imgret_box, size, 0);
FIELD(imgret_box, x, 4);
FIELD(imgret_box, y, 8);
FIELD(imgret_box, width, 12);
FIELD(imgret_box, height, 16);

SIZE(imgret_query_options, 176);
FIELD(imgret_query_options, size, 0);
FIELD(imgret_query_options, flags, 4);
FIELD(imgret_query_options, min_score, 8);
FIELD(imgret_query_options, k, 16);
FIELD(imgret_query_options, effort, 20);
FIELD(imgret_query_options, where, 24);
FIELD(imgret_query_options, params, 32);
FIELD(imgret_query_options, param_count, 40);
FIELD(imgret_query_options, where_ms_max, 44);
FIELD(imgret_query_options, deadline_ms, 48);
FIELD(imgret_query_options, target_recall, 52);
FIELD(imgret_query_options, terms, 56);
FIELD(imgret_query_options, term_count, 64);
FIELD(imgret_query_options, combine, 68);
FIELD(imgret_query_options, colors, 72);
FIELD(imgret_query_options, color_count, 80);
FIELD(imgret_query_options, candidate_count, 84);
FIELD(imgret_query_options, color_weight, 88);
FIELD(imgret_query_options, exclude_ids, 96);
FIELD(imgret_query_options, exclude_count, 104);
FIELD(imgret_query_options, cursor, 112);
FIELD(imgret_query_options, diversity, 120);
FIELD(imgret_query_options, rerank, 128);
FIELD(imgret_query_options, rerank_user, 136);
FIELD(imgret_query_options, box, 144);
FIELD(imgret_query_options, search, 152);
FIELD(imgret_query_options, region, 156);
FIELD(imgret_query_options, min_likeness, 160);
FIELD(imgret_query_options, rerank_by, 164);
FIELD(imgret_query_options, rerank_weight, 168);

SIZE(imgret_query_stats, 104);
FIELD(imgret_query_stats, size, 0);
FIELD(imgret_query_stats, flags, 4);
FIELD(imgret_query_stats, elapsed_us, 8);
FIELD(imgret_query_stats, wait_us, 16);
FIELD(imgret_query_stats, reads, 24);
FIELD(imgret_query_stats, read_bytes, 32);
FIELD(imgret_query_stats, cache_hits, 40);
FIELD(imgret_query_stats, hops, 48);
FIELD(imgret_query_stats, sign_distances, 56);
FIELD(imgret_query_stats, code_distances, 64);
FIELD(imgret_query_stats, exact_distances, 72);
FIELD(imgret_query_stats, scanned, 80);
FIELD(imgret_query_stats, reranks, 88);
FIELD(imgret_query_stats, effort, 96);
FIELD(imgret_query_stats, expected_recall, 100);

SIZE(imgret_term, 24);
FIELD(imgret_term, size, 0);
FIELD(imgret_term, reserved_zero, 4);
FIELD(imgret_term, input, 8);
FIELD(imgret_term, weight, 16);

SIZE(imgret_color_term, 16);
FIELD(imgret_color_term, size, 0);
FIELD(imgret_color_term, red, 4);
FIELD(imgret_color_term, green, 5);
FIELD(imgret_color_term, blue, 6);
FIELD(imgret_color_term, reserved_zero, 7);
FIELD(imgret_color_term, weight, 8);

SIZE(imgret_count_options, 32);
FIELD(imgret_count_options, size, 0);
FIELD(imgret_count_options, state, 4);
FIELD(imgret_count_options, where, 8);
FIELD(imgret_count_options, params, 16);
FIELD(imgret_count_options, param_count, 24);
FIELD(imgret_count_options, where_ms_max, 28);

SIZE(imgret_label_item, 40);
FIELD(imgret_label_item, size, 0);
FIELD(imgret_label_item, reserved_zero, 4);
FIELD(imgret_label_item, id, 8);
FIELD(imgret_label_item, confidence, 16);
FIELD(imgret_label_item, uri, 24);
FIELD(imgret_label_item, label_before, 32);

SIZE(imgret_duplicate, 72);
FIELD(imgret_duplicate, size, 0);
FIELD(imgret_duplicate, kind, 4);
FIELD(imgret_duplicate, id, 8);
FIELD(imgret_duplicate, uri, 16);
FIELD(imgret_duplicate, format, 24);
FIELD(imgret_duplicate, width, 32);
FIELD(imgret_duplicate, height, 36);
FIELD(imgret_duplicate, file_bytes, 40);
FIELD(imgret_duplicate, modified_ns, 48);
FIELD(imgret_duplicate, score, 56);
FIELD(imgret_duplicate, hash_bits, 64);
FIELD(imgret_duplicate, turn, 68);

SIZE(imgret_duplicate_group, 32);
FIELD(imgret_duplicate_group, size, 0);
FIELD(imgret_duplicate_group, kind, 4);
FIELD(imgret_duplicate_group, count, 8);
FIELD(imgret_duplicate_group, members, 16);
FIELD(imgret_duplicate_group, keep_reason, 24);
FIELD(imgret_duplicate_group, reserved_zero, 28);

SIZE(imgret_calibrate_options, 16);
FIELD(imgret_calibrate_options, size, 0);
FIELD(imgret_calibrate_options, flags, 4);
FIELD(imgret_calibrate_options, sample_count, 8);
FIELD(imgret_calibrate_options, copy_max, 12);
SIZE(imgret_calibration, 80);
FIELD(imgret_calibration, size, 0);
FIELD(imgret_calibration, copy_count, 4);
FIELD(imgret_calibration, same_score, 8);
FIELD(imgret_calibration, near_score, 16);
FIELD(imgret_calibration, similar_score, 24);
FIELD(imgret_calibration, random_median, 32);
FIELD(imgret_calibration, random_high, 40);
FIELD(imgret_calibration, nearest_median, 48);
FIELD(imgret_calibration, image_count, 56);
FIELD(imgret_calibration, pair_count, 64);
FIELD(imgret_calibration, hash_pair_count, 72);
FIELD(imgret_calibration, reserved_zero, 76);

SIZE(imgret_duplicates_options, 48);
FIELD(imgret_duplicates_options, size, 0);
FIELD(imgret_duplicates_options, flags, 4);
FIELD(imgret_duplicates_options, kind_max, 8);
FIELD(imgret_duplicates_options, reserved_zero, 12);
FIELD(imgret_duplicates_options, similar_score, 16);
FIELD(imgret_duplicates_options, where, 24);
FIELD(imgret_duplicates_options, params, 32);
FIELD(imgret_duplicates_options, param_count, 40);
FIELD(imgret_duplicates_options, where_ms_max, 44);

SIZE(imgret_duplicates_report, 40);
FIELD(imgret_duplicates_report, size, 0);
FIELD(imgret_duplicates_report, reserved_zero, 4);
FIELD(imgret_duplicates_report, image_count, 8);
FIELD(imgret_duplicates_report, group_count, 16);
FIELD(imgret_duplicates_report, duplicate_count, 24);
FIELD(imgret_duplicates_report, duplicate_bytes, 32);

SIZE(imgret_label_options, 80);
FIELD(imgret_label_options, size, 0);
FIELD(imgret_label_options, flags, 4);
FIELD(imgret_label_options, label, 8);
FIELD(imgret_label_options, examples, 16);
FIELD(imgret_label_options, example_count, 24);
FIELD(imgret_label_options, confidence_min, 32);
FIELD(imgret_label_options, where, 40);
FIELD(imgret_label_options, params, 48);
FIELD(imgret_label_options, param_count, 56);
FIELD(imgret_label_options, where_ms_max, 60);
FIELD(imgret_label_options, on_item, 64);
FIELD(imgret_label_options, user, 72);

SIZE(imgret_label_report, 48);
FIELD(imgret_label_report, size, 0);
FIELD(imgret_label_report, reserved_zero, 4);
FIELD(imgret_label_report, example_count, 8);
FIELD(imgret_label_report, counter_count, 16);
FIELD(imgret_label_report, examined_count, 24);
FIELD(imgret_label_report, fitting_count, 32);
FIELD(imgret_label_report, assigned_count, 40);

SIZE(imgret_param, 40);
FIELD(imgret_param, size, 0);
FIELD(imgret_param, kind, 4);
FIELD(imgret_param, name, 8);
FIELD(imgret_param, text, 16);
FIELD(imgret_param, integer, 24);
FIELD(imgret_param, real, 32);

SIZE(imgret_hit, 104);
FIELD(imgret_hit, size, 0);
FIELD(imgret_hit, width, 4);
FIELD(imgret_hit, height, 8);
FIELD(imgret_hit, reserved_zero, 12);
FIELD(imgret_hit, id, 16);
FIELD(imgret_hit, score, 24);
FIELD(imgret_hit, uri, 32);
FIELD(imgret_hit, metadata, 40);
FIELD(imgret_hit, label, 48);
FIELD(imgret_hit, label_score, 56);
FIELD(imgret_hit, region, 64);
FIELD(imgret_hit, box_x, 68);
FIELD(imgret_hit, box_y, 72);
FIELD(imgret_hit, box_width, 76);
FIELD(imgret_hit, box_height, 80);
FIELD(imgret_hit, region_reserved_zero, 84);
FIELD(imgret_hit, region_score, 88);
FIELD(imgret_hit, region_label, 96);

SIZE(imgret_region, 40);
FIELD(imgret_region, size, 0);
FIELD(imgret_region, ordinal, 4);
FIELD(imgret_region, x, 8);
FIELD(imgret_region, y, 12);
FIELD(imgret_region, width, 16);
FIELD(imgret_region, height, 20);
FIELD(imgret_region, score, 24);
FIELD(imgret_region, label, 32);

SIZE(imgret_record, 128);
FIELD(imgret_record, size, 0);
FIELD(imgret_record, state, 4);
FIELD(imgret_record, id, 8);
FIELD(imgret_record, uri, 16);
FIELD(imgret_record, metadata, 24);
FIELD(imgret_record, format, 32);
FIELD(imgret_record, failure, 40);
FIELD(imgret_record, failure_code, 48);
FIELD(imgret_record, width, 52);
FIELD(imgret_record, height, 56);
FIELD(imgret_record, reserved_zero, 60);
FIELD(imgret_record, file_bytes, 64);
FIELD(imgret_record, modified_ns, 72);
FIELD(imgret_record, added_ms, 80);
FIELD(imgret_record, content_hash, 88);
FIELD(imgret_record, attributes, 104);
FIELD(imgret_record, label, 112);
FIELD(imgret_record, label_score, 120);

SIZE(imgret_swatch, 8);
FIELD(imgret_swatch, red, 0);
FIELD(imgret_swatch, green, 1);
FIELD(imgret_swatch, blue, 2);
FIELD(imgret_swatch, color, 3);
FIELD(imgret_swatch, share, 4);

SIZE(imgret_attributes, 184);
FIELD(imgret_attributes, size, 0);
FIELD(imgret_attributes, orientation, 4);
FIELD(imgret_attributes, brightness, 8);
FIELD(imgret_attributes, contrast, 16);
FIELD(imgret_attributes, saturation, 24);
FIELD(imgret_attributes, warmth, 32);
FIELD(imgret_attributes, sharpness, 40);
FIELD(imgret_attributes, perceptual_hash, 48);
FIELD(imgret_attributes, color_shares, 56);
FIELD(imgret_attributes, swatch_count, 100);
FIELD(imgret_attributes, swatches, 104);
FIELD(imgret_attributes, latitude, 144);
FIELD(imgret_attributes, longitude, 152);
FIELD(imgret_attributes, taken_at, 160);
FIELD(imgret_attributes, camera_make, 168);
FIELD(imgret_attributes, camera_model, 176);

SIZE(imgret_list_options, 56);
FIELD(imgret_list_options, size, 0);
FIELD(imgret_list_options, state, 4);
FIELD(imgret_list_options, after_id, 8);
FIELD(imgret_list_options, uri, 16);
FIELD(imgret_list_options, limit, 24);
FIELD(imgret_list_options, where, 32);
FIELD(imgret_list_options, params, 40);
FIELD(imgret_list_options, param_count, 48);
FIELD(imgret_list_options, where_ms_max, 52);

SIZE(imgret_extractor_options, 40);
FIELD(imgret_extractor_options, size, 0);
FIELD(imgret_extractor_options, threads, 4);
FIELD(imgret_extractor_options, plugin_path, 8);
FIELD(imgret_extractor_options, limits, 16);
FIELD(imgret_extractor_options, instances, 24);
FIELD(imgret_extractor_options, batch_max, 28);
FIELD(imgret_extractor_options, batch_delay_us, 32);
FIELD(imgret_extractor_options, queue_max, 36);

SIZE(imgret_pca_options, 24);
FIELD(imgret_pca_options, size, 0);
FIELD(imgret_pca_options, flags, 4);
FIELD(imgret_pca_options, dimension, 8);
FIELD(imgret_pca_options, reserved_zero, 12);
FIELD(imgret_pca_options, identity, 16);

SIZE(imgret_model_report, 160);
FIELD(imgret_model_report, size, 0);
FIELD(imgret_model_report, status, 4);
FIELD(imgret_model_report, reason, 8);
FIELD(imgret_model_report, backend, 16);
FIELD(imgret_model_report, backend_version, 24);
FIELD(imgret_model_report, family, 32);
FIELD(imgret_model_report, naming, 40);
FIELD(imgret_model_report, architecture, 48);
FIELD(imgret_model_report, identity, 56);
FIELD(imgret_model_report, missing, 64);
FIELD(imgret_model_report, left_over, 72);
FIELD(imgret_model_report, misshapen, 80);
FIELD(imgret_model_report, class_names, 88);
FIELD(imgret_model_report, notes, 96);
FIELD(imgret_model_report, parameter_count, 104);
FIELD(imgret_model_report, tensor_bytes, 112);
FIELD(imgret_model_report, tensor_count, 120);
FIELD(imgret_model_report, missing_count, 124);
FIELD(imgret_model_report, left_over_count, 128);
FIELD(imgret_model_report, misshapen_count, 132);
FIELD(imgret_model_report, dimension, 136);
FIELD(imgret_model_report, class_count, 140);
FIELD(imgret_model_report, input_width, 144);
FIELD(imgret_model_report, input_height, 148);
FIELD(imgret_model_report, anchor_count, 152);
FIELD(imgret_model_report, box_class_count, 156);
SIZE(imgret_extraction, 64);
FIELD(imgret_extraction, size, 0);
FIELD(imgret_extraction, flags, 4);
FIELD(imgret_extraction, vectors, 8);
FIELD(imgret_extraction, vector_floats, 16);
FIELD(imgret_extraction, logits, 24);
FIELD(imgret_extraction, logit_floats, 32);
FIELD(imgret_extraction, labels, 40);
FIELD(imgret_extraction, label_scores, 48);
FIELD(imgret_extraction, statuses, 56);
SIZE(imgret_extractor_info, 56);
FIELD(imgret_extractor_info, size, 0);
FIELD(imgret_extractor_info, dimension, 4);
FIELD(imgret_extractor_info, input_width, 8);
FIELD(imgret_extractor_info, input_height, 12);
FIELD(imgret_extractor_info, batch_max, 16);
FIELD(imgret_extractor_info, reserved_zero, 20);
FIELD(imgret_extractor_info, backend, 24);
FIELD(imgret_extractor_info, architecture, 32);
FIELD(imgret_extractor_info, identity, 40);
FIELD(imgret_extractor_info, instances, 48);
FIELD(imgret_extractor_info, class_count, 52);

SIZE(imgret_backend_info, 120);
FIELD(imgret_backend_info, size, 0);
FIELD(imgret_backend_info, dimension, 4);
FIELD(imgret_backend_info, class_count, 8);
FIELD(imgret_backend_info, input_width, 12);
FIELD(imgret_backend_info, input_height, 16);
FIELD(imgret_backend_info, batch_max, 20);
FIELD(imgret_backend_info, resize, 24);
FIELD(imgret_backend_info, resize_px, 28);
FIELD(imgret_backend_info, filter, 32);
FIELD(imgret_backend_info, reserved_zero, 36);
FIELD(imgret_backend_info, architecture, 40);
FIELD(imgret_backend_info, identity, 48);
FIELD(imgret_backend_info, anchor_count, 56);
FIELD(imgret_backend_info, box_class_count, 60);
FIELD(imgret_backend_info, box_coding, 64);
FIELD(imgret_backend_info, stride_count, 68);
FIELD(imgret_backend_info, strides, 72);
FIELD(imgret_backend_info, letterbox_place, 104);
FIELD(imgret_backend_info, pad_rgb, 108);
FIELD(imgret_backend_info, class_names, 112);

SIZE(imgret_backend_batch, 32);
FIELD(imgret_backend_batch, size, 0);
FIELD(imgret_backend_batch, count, 4);
FIELD(imgret_backend_batch, pixels, 8);
FIELD(imgret_backend_batch, embeddings, 16);
FIELD(imgret_backend_batch, logits, 24);

SIZE(imgret_backend_detect_batch, 24);
FIELD(imgret_backend_detect_batch, size, 0);
FIELD(imgret_backend_detect_batch, count, 4);
FIELD(imgret_backend_detect_batch, pixels, 8);
FIELD(imgret_backend_detect_batch, detections, 16);

SIZE(imgret_backend_inspection, 144);
FIELD(imgret_backend_inspection, size, 0);
FIELD(imgret_backend_inspection, status, 4);
FIELD(imgret_backend_inspection, reason, 8);
FIELD(imgret_backend_inspection, family, 16);
FIELD(imgret_backend_inspection, naming, 24);
FIELD(imgret_backend_inspection, architecture, 32);
FIELD(imgret_backend_inspection, identity, 40);
FIELD(imgret_backend_inspection, missing, 48);
FIELD(imgret_backend_inspection, left_over, 56);
FIELD(imgret_backend_inspection, misshapen, 64);
FIELD(imgret_backend_inspection, class_names, 72);
FIELD(imgret_backend_inspection, notes, 80);
FIELD(imgret_backend_inspection, parameter_count, 88);
FIELD(imgret_backend_inspection, tensor_bytes, 96);
FIELD(imgret_backend_inspection, tensor_count, 104);
FIELD(imgret_backend_inspection, missing_count, 108);
FIELD(imgret_backend_inspection, left_over_count, 112);
FIELD(imgret_backend_inspection, misshapen_count, 116);
FIELD(imgret_backend_inspection, dimension, 120);
FIELD(imgret_backend_inspection, class_count, 124);
FIELD(imgret_backend_inspection, input_width, 128);
FIELD(imgret_backend_inspection, input_height, 132);
FIELD(imgret_backend_inspection, anchor_count, 136);
FIELD(imgret_backend_inspection, box_class_count, 140);

SIZE(imgret_backend_host, 24);
FIELD(imgret_backend_host, size, 0);
FIELD(imgret_backend_host, abi, 4);
FIELD(imgret_backend_host, log, 8);
FIELD(imgret_backend_host, file_sha256, 16);

SIZE(imgret_backend, 88);
FIELD(imgret_backend, size, 0);
FIELD(imgret_backend, abi, 4);
FIELD(imgret_backend, name, 8);
FIELD(imgret_backend, version, 16);
FIELD(imgret_backend, extensions, 24);
FIELD(imgret_backend, load, 32);
FIELD(imgret_backend, describe, 40);
FIELD(imgret_backend, run, 48);
FIELD(imgret_backend, unload, 56);
FIELD(imgret_backend, detect, 64);
FIELD(imgret_backend, inspect, 72);
FIELD(imgret_backend, end_inspection, 80);

SIZE(imgret_transfer_options, 24);
FIELD(imgret_transfer_options, size, 0);
FIELD(imgret_transfer_options, flags_zero, 4);
FIELD(imgret_transfer_options, on_progress, 8);
FIELD(imgret_transfer_options, user, 16);

SIZE(imgret_repair_options, 32);
FIELD(imgret_repair_options, size, 0);
FIELD(imgret_repair_options, flags_zero, 4);
FIELD(imgret_repair_options, on_item, 8);
FIELD(imgret_repair_options, user, 16);
FIELD(imgret_repair_options, memory_bytes_max, 24);

SIZE(imgret_repair_report, 32);
FIELD(imgret_repair_report, size, 0);
FIELD(imgret_repair_report, segments_rebuilt, 4);
FIELD(imgret_repair_report, vectors_kept, 8);
FIELD(imgret_repair_report, images_extracted, 16);
FIELD(imgret_repair_report, images_lost, 24);

SIZE(imgret_salvage_options, 24);
FIELD(imgret_salvage_options, size, 0);
FIELD(imgret_salvage_options, busy_timeout_ms, 4);
FIELD(imgret_salvage_options, on_loss, 8);
FIELD(imgret_salvage_options, user, 16);

SIZE(imgret_salvage_report, 104);
FIELD(imgret_salvage_report, size, 0);
FIELD(imgret_salvage_report, salvaged, 4);
FIELD(imgret_salvage_report, image_count, 8);
FIELD(imgret_salvage_report, images_without_record, 16);
FIELD(imgret_salvage_report, images_lost, 24);
FIELD(imgret_salvage_report, loss_count, 32);
FIELD(imgret_salvage_report, original, 40);

SIZE(imgret_reembed_options, 48);
FIELD(imgret_reembed_options, size, 0);
FIELD(imgret_reembed_options, flags, 4);
FIELD(imgret_reembed_options, model, 8);
FIELD(imgret_reembed_options, on_item, 16);
FIELD(imgret_reembed_options, on_progress, 24);
FIELD(imgret_reembed_options, user, 32);
FIELD(imgret_reembed_options, memory_bytes_max, 40);

SIZE(imgret_reembed_report, 32);
FIELD(imgret_reembed_report, size, 0);
FIELD(imgret_reembed_report, reserved_zero, 4);
FIELD(imgret_reembed_report, embedded_count, 8);
FIELD(imgret_reembed_report, resumed_count, 16);
FIELD(imgret_reembed_report, missing_count, 24);

#endif
