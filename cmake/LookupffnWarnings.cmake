# Every target of the project is compiled with these.
add_compile_options(-Wall -Wextra)
if(LOOKUPFFN_WERROR)
  add_compile_options(-Werror)
endif()
