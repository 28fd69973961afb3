/* io/table.h -- complaints about a place in a table. */
#ifndef RG_IO_TABLE_H
#define RG_IO_TABLE_H

#include <retrograd/data.h>

/* `file:line: ` and the reason as the table's message; returns the status. */
rg_status rg_table_refuse(rg_table *table, rg_status status, uint32_t line, const char *format, ...)
    RG_PRINTF(4, 5);

#endif
