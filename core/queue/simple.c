/* The plain subset: queues without limits, and calls that wait for as long as it takes. */
#include <yoke/simple_queue.h>

int yoke_simple_queue_create(yoke_queue **out)
{
    return yoke_queue_create(out, NULL);
}

int yoke_simple_queue_put(yoke_queue *queue, const void *data, size_t size)
{
    return yoke_queue_put(queue, data, size, YOKE_FOREVER);
}

int yoke_simple_queue_put_string(yoke_queue *queue, const char *text)
{
    return yoke_queue_put_string(queue, text, YOKE_FOREVER);
}

int yoke_simple_queue_put_variant(yoke_queue *queue, const yoke_item *value)
{
    return yoke_queue_put_variant(queue, value, YOKE_FOREVER);
}

int yoke_simple_queue_get(yoke_queue *queue, void *buffer, size_t capacity, size_t *size)
{
    return yoke_queue_get(queue, buffer, capacity, size, YOKE_FOREVER);
}

int yoke_simple_queue_get_string(yoke_queue *queue, char *buffer, size_t capacity)
{
    return yoke_queue_get_string(queue, buffer, capacity, YOKE_FOREVER);
}

int yoke_simple_queue_get_variant(yoke_queue *queue, yoke_variant **out)
{
    return yoke_queue_get_variant(queue, out, YOKE_FOREVER);
}

bool yoke_simple_queue_empty(const yoke_queue *queue)
{
    return yoke_queue_empty(queue);
}

void yoke_simple_queue_close(yoke_queue *queue)
{
    yoke_queue_close(queue);
}
