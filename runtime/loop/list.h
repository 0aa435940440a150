/* SPDX-License-Identifier: MIT */
/* A ring of links that live in their owners' structs, around a head of the same type. */
#ifndef WR_LOOP_LIST_H
#define WR_LOOP_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct wr_list {
    struct wr_list *prev, *next;
};

/* An empty list, or a link in no list. */
static inline void wr_list_init(struct wr_list *l)
{
    l->prev = l->next = l;
}

/* Is the list L empty, or the link L in no list? */
static inline bool wr_list_empty(const struct wr_list *l)
{
    return l->next == l;
}

/* Puts the link L, which is in no list, at the end of LIST. */
static inline void wr_list_append(struct wr_list *list, struct wr_list *l)
{
    l->prev = list->prev;
    l->next = list;
    l->prev->next = l;
    list->prev = l;
}

/* Puts the link L, which is in no list, at the beginning of LIST. */
static inline void wr_list_prepend(struct wr_list *list, struct wr_list *l)
{
    wr_list_append(list->next, l);
}

/* Takes the link L out of its list; nothing if it is in none. */
static inline void wr_list_remove(struct wr_list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    wr_list_init(l);
}

/* Takes the first link out of LIST; NULL if there is none. */
static inline struct wr_list *wr_list_take(struct wr_list *list)
{
    struct wr_list *l = list->next;
    if (l == list)
        return NULL;
    wr_list_remove(l);
    return l;
}

/* Moves all links of FROM, in their order, to the end of LIST. */
static inline void wr_list_splice(struct wr_list *list, struct wr_list *from)
{
    if (wr_list_empty(from))
        return;
    from->next->prev = list->prev;
    list->prev->next = from->next;
    from->prev->next = list;
    list->prev = from->prev;
    wr_list_init(from);
}

#endif
